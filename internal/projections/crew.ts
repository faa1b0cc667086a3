import { jetstreamManager } from "@nats-io/jetstream";
import { pino } from "pino";
import { sharedEngines } from "../../test/kit/engines/shared.ts";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { partyKey } from "../core/fix.ts";
import { partitionOf } from "../core/ids.ts";
import type { LiveChange } from "../core/live.ts";
import { sleep, systemClock } from "../core/time.ts";
import { compareVersions, formatVersion, type Version } from "../core/version.ts";
import { decodeEntry, encodeEntry } from "../eventlog/codec.ts";
import type { EventLog, LogEntry } from "../eventlog/log.ts";
import { freshPrefix, TEST_LOG } from "../eventlog/nats/kit.ts";
import { openNatsLog } from "../eventlog/nats/log.ts";
import type { LogRecord } from "../eventlog/record.ts";
import type { History } from "../history/history.ts";
import { openSqliteHistory } from "../history/sqlite/history.ts";
import type { LatestFlush } from "../latest/latest.ts";
import { MemoryLatest } from "../latest/memory/memory-latest.ts";
import { connectNats } from "../nats/link.ts";
import { LeaseRecord } from "../partitions/nats/lease-record.ts";
import { openNatsLeases } from "../partitions/nats/leases.ts";
import { openNatsSnapshots } from "../partitions/nats/snapshots.ts";
import { PipelineOutput } from "../pipeline/output.ts";
import { processEntry } from "../pipeline/pipeline.ts";
import { createPartitionState } from "../pipeline/state.ts";
import { batchOf, fixOf, LIMITS, T0, tripOf } from "../pipeline/test-drives.ts";
import { HeldLeases } from "./held-leases.ts";
import { HistoryView } from "./history.ts";
import { LiveView } from "./live.ts";
import { Projection } from "./projection.ts";

const PARTITIONS = LIMITS.partitions;
const CREW_LIMITS = { ...LIMITS, snapshotPeriodMs: 1_000, maxFixesPerChunk: 20 };
/** One driver with a running trip in each partition. */
const DRIVERS = Array.from({ length: PARTITIONS }, (_, partition) => {
  const names = Array.from({ length: 60 }, (_, i) => `driver-${i}`);
  return names.find((id) => partitionOf({ kind: "driver", id }, PARTITIONS) === partition)!;
});
const FIX_EVERY_MS = 20;

/** Latest state that watches over what it is told. */
class WatchedLatest extends MemoryLatest {
  readonly faults: string[] = [];

  override async update(flush: LatestFlush): Promise<{ refused: number }> {
    const before = await this.#seqs(flush);
    const result = await super.update(flush);
    for (const [i, seq] of (await this.#seqs(flush)).entries())
      if (seq < before[i]!) this.faults.push(`${flush.parties[i]!.partyKey}: ${before[i]} to ${seq}`);
    return result;
  }

  #seqs({ parties }: LatestFlush): Promise<number[]> {
    return Promise.all(parties.map(async (party) => (await this.party(party.partyKey))?.seq ?? -1));
  }
}

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
    openNatsLog({ ...TEST_LOG, link: on, prefix, partitions: PARTITIONS, limits: LIMITS });
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
      notify: () => {},
      subscribe: () => Promise.reject(new Error("nobody subscribes here")),
      listen: () => Promise.reject(new Error("nobody listens here")),
      [Symbol.asyncDispose]: async () => {},
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
        ...{ link: own, region, prefix, memberId, replicas: 1, partitions: PARTITIONS },
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
        ...readerFaults(published, versionsOf(entries)),
        ...(await historyFaults(history, appended)),
      ];
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function startTraffic(log: EventLog, region: string) {
  const appended = DRIVERS.map(() => 0);
  let stopped = false;
  const append = async (partition: number, record: LogRecord) => {
    const body = encodeEntry({ region, traceparent: "", records: [record] });
    await log.append(partition, body);
  };
  const drive = async (driverId: string, partition: number) => {
    const trip = tripOf({
      ...{ tripId: `got-${String(partition).padStart(26, "0")}`, region, driverId },
      assignments: [{ driverId, fromMs: T0, toMs: 0 }],
    });
    await append(partition, { kind: "tripChange", receivedAtMs: T0, trip });
    for (let seq = 0; !stopped; seq++) {
      const atMs = T0 + 1_000 * (seq + 1);
      const party = { kind: "driver" as const, id: driverId };
      await append(partition, batchOf(atMs, [fixOf(seq, atMs - 50, seq % 600)], { party }));
      appended[partition] = seq + 1;
      await sleep(systemClock, FIX_EVERY_MS);
    }
  };
  const running = Promise.all(DRIVERS.map(drive));
  return {
    async stop(): Promise<number[]> {
      stopped = true;
      await running;
      return appended;
    },
  };
}

const countIn = async (history: History, id: string) => {
  const range = { fromMs: 0, toMs: T0 * 2, limit: 10_000 };
  return history.track({ party: { kind: "driver", id }, ...range });
};

/** Looks all the time whether the record of a car ever becomes shorter. */
function watchHistory(history: History) {
  const faults: string[] = [];
  const most = DRIVERS.map(() => 0);
  let stopped = false;
  const looking = (async () => {
    while (!stopped) {
      for (const [i, id] of DRIVERS.entries()) {
        const { length } = await countIn(history, id);
        if (length < most[i]!) faults.push(`history of ${id}: ${most[i]} fixes, then ${length}`);
        most[i] = length;
      }
      await sleep(systemClock, 5);
    }
  })();
  return {
    async stop(): Promise<string[]> {
      stopped = true;
      await looking;
      return faults;
    },
  };
}

async function historyFaults(history: History, appended: readonly number[]): Promise<string[]> {
  const faults = await Promise.all(
    DRIVERS.map(async (id, partition) => {
      const seqs = (await countIn(history, id)).map(({ seq }) => seq).toSorted((a, b) => a - b);
      const complete = seqs.length === appended[partition] && seqs.every((seq, i) => seq === i);
      const key = partyKey({ kind: "driver", id });
      return complete ? [] : [`history of ${key}: ${seqs.length} fixes of ${appended[partition]}`];
    }),
  );
  return faults.flat();
}

async function readAll(log: EventLog, ends: readonly { first: number; last: number }[]): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  const left = new Set(ends.keys());
  const abort = new AbortController();
  const after = new Map(ends.map(({ first }, partition) => [partition, first - 1]));
  for await (const batch of log.read(after, abort.signal)) {
    for (const entry of batch) {
      entries.push(entry);
      if (entry.sequence >= ends[entry.partition]!.last) left.delete(entry.partition);
    }
    if (left.size === 0) abort.abort();
  }
  return entries;
}

/** The versions of each trip that the log makes, in order. */
function versionsOf(entries: readonly LogEntry[]): Map<string, string[]> {
  const states = DRIVERS.map((_, partition) => createPartitionState(partition));
  const versions = new Map<string, string[]>();
  for (const { partition, sequence, loggedAtMs, body } of entries) {
    const out = new PipelineOutput();
    const { records } = decodeEntry(body);
    processEntry(states[partition]!, { sequence, loggedAtMs, records }, CREW_LIMITS, out);
    for (const { tripId, version } of out.changes)
      versions.set(tripId, [...(versions.get(tripId) ?? []), formatVersion(version)]);
  }
  return versions;
}

/** What a reader finds wrong who drops what is not newer: holes, and anything else than what the log makes. */
function readerFaults(published: readonly LiveChange[], expected: ReadonlyMap<string, string[]>): string[] {
  const faults: string[] = [];
  for (const [tripId, changes] of Map.groupBy(published, (change) => change.tripId)) {
    let now: Version = { generation: 1, sequence: 0, index: 0 };
    const seen: string[] = [];
    for (const { version, previous } of changes) {
      if (compareVersions(version, now) <= 0) continue;
      if (compareVersions(previous, now) !== 0)
        faults.push(
          `${tripId}: ${formatVersion(version)} follows ${formatVersion(previous)}, not ${formatVersion(now)}`,
        );
      now = version;
      seen.push(formatVersion(version));
    }
    if (seen.join() !== expected.get(tripId)?.join())
      faults.push(`${tripId}: other versions than the log makes`);
  }
  if (expected.size !== DRIVERS.length) faults.push(`${expected.size} trips`);
  return faults;
}
