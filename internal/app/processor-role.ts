import { sleep, systemClock } from "../core/time.ts";
import { ProjectionEvents } from "../projections/events.ts";
import { HeldLeases } from "../projections/held-leases.ts";
import { HistoryView } from "../projections/history.ts";
import { LiveView } from "../projections/live.ts";
import type { ProjectionMetrics } from "../projections/metrics.ts";
import { Projection } from "../projections/projection.ts";
import { createProposer } from "../projections/proposer.ts";
import { startTicker } from "../projections/ticker.ts";
import { ENGINES, type Engines } from "./engines.ts";
import type { Parts, RegionParts } from "./parts.ts";

export type Processor = AsyncDisposable & {
  /** Why it is not well, if it isn't. */
  health(): string | undefined;
  /** Resolves once the live projection has read what the log holds now, of the partitions at hand. */
  liveCaughtUp(): Promise<void>;
  readonly partitionsAtHand: number;
};

/** Least time between two writes of the latest state: a few fixes share a call to a store over the network. */
const LIVE_STORE_PERIOD_MS = 50;
const HISTORY_STORE_PERIOD_MS = 500;
/** How long live goes on with a partition that is given away, at most; handOverMs is the time for all of it. */
const LIVE_WAITS_MS = 2_500;
const LOOK_AGAIN_MS = 10;
const SWEEP_PERIOD_MS = 5_000;
const TRIM_PERIOD_MS = 600_000;
const LAG_PERIOD_MS = 2_000;

/** The processor of a region: live and history projections over the partitions that it holds, with the chores of the stores they fill. */
export async function startProcessor(
  parts: Parts,
  { context, engines }: RegionParts,
  metrics: ProjectionMetrics,
): Promise<Processor> {
  const { clock, limits, telemetry, settings } = parts;
  const { log, latest, history, bus } = engines;
  const logger = telemetry.logger.child({ part: "processor", region: log.region });
  const events = new ProjectionEvents({ metrics, region: log.region, logger, clock });
  await using stack = new AsyncDisposableStack();

  // Each follows by itself: history, which waits for its store, must not keep live from hearing of its partitions.
  const liveLeases = new HeldLeases();
  const pastLeases = new HeldLeases();
  const proposer = createProposer(
    (detection) => parts.trips.proposeDetected(detection),
    ({ tripId, status }, error) => logger.warn({ err: error, tripId, status }, "detected phase not stored"),
    systemClock,
  );
  stack.defer(() => proposer.idle());
  const embedded = settings.engines === "embedded";
  const liveView = new LiveView({
    ...{ bus, latest, clock, limits, events },
    storePeriodMs: embedded ? 0 : LIVE_STORE_PERIOD_MS,
    lease: liveLeases.lease,
    propose: (detection) => proposer.offer(detection),
  });
  const historyView = new HistoryView({
    ...{ history, limits, clock },
    lease: pastLeases.lease,
    storePeriodMs: HISTORY_STORE_PERIOD_MS,
    chunkRewriteMs: embedded ? 0 : settings.historyStorePeriodMs,
  });
  const snapshots = await ENGINES.snapshots[settings.engines](context);
  const deps = { log, snapshots, clock, limits, logger, events };
  // History shows nobody a trail, and thousands of them make its memory and its snapshots large.
  const pastLimits = { ...limits, maxTrailPoints: 0 };
  const pastDeps = { ...deps, limits: pastLimits, lease: pastLeases.lease };
  const past = stack.use(await Projection.start(pastDeps, historyView, []));
  const live = stack.use(await Projection.start({ ...deps, lease: liveLeases.lease }, liveView, []));
  const leasing = stack.use(await ENGINES.leases[settings.engines](context));
  const pastHas = (partition: number) => past.partitions.includes(partition);
  await Promise.all([
    leasing.held((now) => pastLeases.follow(now, [past])),
    leasing.held(async (now) => {
      // Live goes on with what is given away while history writes its rows.
      const given = liveLeases.givenAway(now);
      const startedMs = systemClock.monotonic();
      while (given.some(pastHas) && systemClock.monotonic() - startedMs < LIVE_WAITS_MS)
        await sleep(systemClock, LOOK_AGAIN_MS);
      await liveLeases.follow(now, [live]);
    }),
  ]);

  const isSilent = (projection: Projection, partition: number) => {
    const state = projection.states.find((each) => each.partition === partition);
    return !state || clock.now() - state.pipelineTimeMs >= limits.tickAfterMs;
  };
  const warn = (message: string) => (error: unknown) => logger.warn({ err: error }, message);
  const ticks = { log, clock, limits, failed: warn("tick not appended") };
  stack.defer(
    startTicker(
      ticks,
      // History may be held up by its store: what live has read was no silence.
      () => past.states.filter(({ partition }) => isSilent(live, partition)),
      (state) => historyView.waits(state.partition),
    ),
  );
  stack.defer(
    clock.every(SWEEP_PERIOD_MS, () => {
      const now = clock.now();
      void latest.sweep(now - limits.partyIdleMs, now).catch(warn("latest state not swept"));
    }),
  );
  stack.defer(
    clock.every(TRIM_PERIOD_MS, () => {
      void log.trim(clock.now() - limits.logRetentionMs).catch(warn("log not trimmed"));
      void history.trim(clock.now() - settings.historyRetentionMs).catch(warn("history not trimmed"));
    }),
  );
  stack.defer(
    clock.every(LAG_PERIOD_MS, () => {
      events.detectionsWaiting(proposer.waiting);
      void lookAtLag([live, past], engines, events).catch(warn("lag not known"));
    }),
  );

  const owned = stack.move();
  return {
    health: () => live.health() ?? past.health(),
    get partitionsAtHand() {
      return live.states.length;
    },
    async liveCaughtUp() {
      for (const { partition } of live.states) {
        const { last } = await log.bounds(partition);
        // One that stopped says so in its health; the others serve.
        // One that was given away is somebody else's to catch up with.
        while (
          live.partitions.includes(partition) &&
          live.cursor(partition) < last &&
          !live.isStopped(partition)
        ) {
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function lookAtLag(
  projections: readonly Projection[],
  { log }: Engines,
  events: ProjectionEvents,
): Promise<void> {
  for (const projection of projections) {
    for (const partition of projection.partitions) {
      const { last } = await log.bounds(partition);
      events.lag(projection.name, partition, Math.max(0, last - projection.cursor(partition)));
    }
  }
}
