import { jetstreamManager } from "@nats-io/jetstream";
import { pino } from "pino";
import { sharedEngines } from "../../test/kit/engines/shared.ts";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import type { LiveChange } from "../core/live.ts";
import { sleep, systemClock } from "../core/time.ts";
import { freshPrefix, TEST_LOG } from "../eventlog/nats/kit.ts";
import { openNatsLog } from "../eventlog/nats/log.ts";
import { openSqliteHistory } from "../history/sqlite/history.ts";
import { connectNats } from "../nats/link.ts";
import { LeaseRecord } from "../partitions/nats/lease-record.ts";
import { openNatsLeases } from "../partitions/nats/leases.ts";
import { openNatsSnapshots } from "../partitions/nats/snapshots.ts";
import { LIMITS } from "../pipeline/test-drives.ts";
import { historyFaults, readAll, readerFaults, versionsOf } from "./crew-faults.ts";
import { DRIVERS, startTraffic } from "./crew-traffic.ts";
import { WatchedLatest, watchHistory } from "./crew-watchers.ts";
import { HeldLeases } from "./held-leases.ts";
import { HistoryView } from "./history.ts";
import { LiveView } from "./live.ts";
import { Projection } from "./projection.ts";

const CREW_LIMITS = { ...LIMITS, snapshotPeriodMs: 1_000, maxFixesPerChunk: 20 };

/** A region with traffic on real NATS: one log, one latest state and one history for all processors of it. */
export type Crew = Awaited<ReturnType<typeof openCrew>>;

/** Opens the region and starts the traffic; {@link Crew.finish} ends it and checks everything. */
export async function openCrew() {
  await using stack = new AsyncDisposableStack();
  const prefix = freshPrefix();
  const { region } = TEST_LOG;
  const address = sharedEngines().nats;
  const folder = stack.use(await tempFolder());
  const link = stack.use(await connectNats({ servers: [address], name: "bimride-test" }));
  stack.defer(async () => {
    const manager = await jetstreamManager(link.connection, { checkAPI: false });
    for (const name of [`LOG_${region}`, `KV_${prefix}LEASES_${region}`, `OBJ_${prefix}SNAPSHOTS_${region}`])
      await manager.streams.delete(name.startsWith("LOG") ? `${prefix}${name}` : name).catch(() => {});
  });
  const logOn = (on: typeof link) =>
    openNatsLog({ ...TEST_LOG, link: on, prefix, partitions: LIMITS.partitions, limits: LIMITS });
  const log = stack.use(await logOn(link));
  const history = stack.use(await openSqliteHistory({ path: folder.file("history.sqlite") }));
  const latest = new WatchedLatest(systemClock);
  const published: LiveChange[] = [];
  const record = new LeaseRecord();
  stack.defer(() => record.stop());
  const traffic = startTraffic(log, region);
  const watching = watchHistory(history);
  const owned = stack.move();

  /** A processor of its own. @param server its way to NATS */
  async function join(memberId: string, server = address) {
    await using parts = new AsyncDisposableStack();
    const own = parts.use(await connectNats({ servers: [server], name: memberId }));
    const held = new HeldLeases();
    const { lease } = held;
    const bus = {
      publish: (change: LiveChange) => void published.push(structuredClone(change)),
      publishRider: () => {},
    };
    const common = { clock: systemClock, limits: CREW_LIMITS, lease };
    const snapshots = await openNatsSnapshots({ link: own, prefix, region, replicas: 1 });
    const logger = pino({ level: "silent" });
    const deps = { ...common, log: parts.use(await logOn(own)), snapshots, logger };
    const historyView = new HistoryView({ ...common, history, storePeriodMs: 50, chunkRewriteMs: 300 });
    const past = parts.use(await Projection.start(deps, historyView, []));
    const liveView = new LiveView({ ...common, bus, latest, propose: () => {} });
    const live = parts.use(await Projection.start(deps, liveView, []));
    const leases = parts.use(
      await openNatsLeases({
        ...{ link: own, region, prefix, memberId, replicas: 1, partitions: LIMITS.partitions },
        ...{ clock: systemClock, limits: CREW_LIMITS, onError: () => {} },
      }),
    );
    await leases.held((now) => {
      record.add(now);
      return held.follow(now, [live, past]);
    });
    const all = parts.move();
    return {
      past,
      live,
      /** Partitions under a valid lease, with both projections at their end. */
      valid: () =>
        live.states.filter(({ partition }) => lease(partition)?.valid()).map((each) => each.partition),
      leave: () => all.disposeAsync(),
    };
  }

  return {
    join,
    /** What readers have seen of the trip's versions grows. */
    get publishedCount() {
      return published.length;
    },
    /** Ends the traffic, waits for what is under way, and gives back everything that is wrong. */
    async finish(members: readonly Awaited<ReturnType<typeof join>>[]): Promise<string[]> {
      const appended = await traffic.stop();
      const ends = await Promise.all(DRIVERS.map((_, partition) => log.bounds(partition)));
      const done = () =>
        ends.every(({ last }, partition) =>
          members.some(
            ({ live, past }) => live.storedCursor(partition) >= last && past.storedCursor(partition) >= last,
          ),
        );
      while (!done()) await sleep(systemClock, 20);
      for (const member of members) await member.leave();
      const entries = await readAll(log, ends);
      return [
        ...record.overlaps(),
        ...latest.faults,
        ...(await watching.stop()),
        ...readerFaults(published, versionsOf(entries, CREW_LIMITS)),
        ...(await historyFaults(history, appended)),
      ];
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
