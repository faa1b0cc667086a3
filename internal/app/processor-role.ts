import type { Lease } from "../partitions/lease.ts";
import { HistoryView } from "../projections/history.ts";
import { LiveView } from "../projections/live.ts";
import { Projection } from "../projections/projection.ts";
import { createProposer } from "../projections/proposer.ts";
import { startTicker } from "../projections/ticker.ts";
import type { Parts } from "./parts.ts";

export type Processor = AsyncDisposable & {
  /** Why it is not well, if it isn't. */
  health(): string | undefined;
  /** Resolves once the live projection has read what the log holds now. */
  liveCaughtUp(): Promise<void>;
};

/** How far the embedded history may lag behind the log. */
const HISTORY_STORE_PERIOD_MS = 500;
const SWEEP_PERIOD_MS = 5_000;
const TRIM_PERIOD_MS = 600_000;

/** The processor: live and history projections over the log, with the chores of the stores they fill. */
export async function startProcessor(parts: Parts): Promise<Processor> {
  const { clock, limits, engines, telemetry, trips, settings } = parts;
  const { log, latest, history, bus, snapshots } = engines;
  const logger = telemetry.logger.child({ part: "processor" });
  await using stack = new AsyncDisposableStack();

  let leases: readonly Lease[] = [];
  await engines.leases.held((held) => {
    leases = held;
  });
  const proposer = createProposer(
    (detection) => trips.proposeDetected(detection),
    ({ tripId, status }, error) => logger.warn({ err: error, tripId, status }, "detected phase not stored"),
  );
  stack.defer(() => proposer.idle());
  const lease = (partition: number) => leases.find((held) => held.partition === partition);
  const liveView = new LiveView({
    bus,
    latest,
    clock,
    limits,
    lease,
    propose: (detection) => proposer.offer(detection),
  });
  const historyView = new HistoryView({ history, limits, storePeriodMs: HISTORY_STORE_PERIOD_MS });
  const deps = { log, snapshots, clock, limits, logger };
  const past = stack.use(await Projection.start(deps, historyView));
  const live = stack.use(await Projection.start(deps, liveView));

  const warn = (message: string) => (error: unknown) => logger.warn({ err: error }, message);
  stack.defer(
    startTicker({ log, clock, limits, failed: warn("tick not appended") }, past.states, (state) =>
      historyView.waits(state.partition),
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

  const owned = stack.move();
  return {
    health: () => live.health() ?? past.health(),
    async liveCaughtUp() {
      for (let partition = 0; partition < log.partitions; partition++) {
        const { last } = await log.bounds(partition);
        while (live.cursor(partition) < last) {
          const why = live.health();
          if (why?.includes("stopped")) throw new Error(why);
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
