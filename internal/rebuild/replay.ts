import { BimrideError } from "../core/errors.ts";
import { partyKey } from "../core/fix.ts";
import { sleep } from "../core/time.ts";
import { decodeEntry } from "../eventlog/codec.ts";
import type { EventLog, LogEntry } from "../eventlog/log.ts";
import { PipelineOutput } from "../pipeline/output.ts";
import { createPartitionState, processEntry } from "../pipeline/pipeline.ts";
import type { PartitionState } from "../pipeline/state.ts";
import { type RebuildDeps, RebuildError, WARM_AFTER_MS } from "./rebuild-deps.ts";

const PROGRESS_MS = 5_000;

/** A partition on its way through the pipeline, with a state of the replay's own. */
export type Replayed = {
  state: PartitionState;
  entriesRead: number;
  /** The replay began at the first entry that ever was: its state is the owner's. */
  exact: boolean;
  /** Pipeline time at which a party was met, by its key. */
  metAtMs: Map<string, number>;
};

export type ReplayRange = {
  /** Log time from which on entries are read. */
  readFromMs: number;
  /** Entries logged after it are not read. */
  untilMs: number;
};

/** True when the party's state is as its owner had it, so that what was shown can be told again. */
export function isWarm({ state, exact, metAtMs }: Replayed, key: string): boolean {
  return exact || state.pipelineTimeMs - (metAtMs.get(key) ?? state.pipelineTimeMs) >= WARM_AFTER_MS;
}

/**
 * Takes what the log has of the range through the pipeline, all partitions at once and each to its end, at a bounded
 * pace; leases, snapshots, cursors and the bus are not touched.
 * @param taken called for each entry; synchronous, as in a projection
 * @param batch called after each batch, and waited for
 * @throws RebuildError when the log's beginning overtakes the replay
 */
export async function replay(
  deps: RebuildDeps,
  range: ReplayRange,
  taken: (partition: Replayed, entry: LogEntry, out: PipelineOutput) => void,
  batch: () => Promise<void>,
): Promise<Replayed[]> {
  const { log } = deps;
  const replayed = await begin(log, range);
  const targets = await targetsOf(log, replayed);
  const out = new PipelineOutput();
  const pace = new Pace(deps);
  const stop = new AbortController();
  const cursors = new Map(
    [...targets.keys()].map((partition) => [partition, replayed[partition]!.state.cursor]),
  );
  try {
    if (targets.size > 0)
      for await (const entries of log.read(cursors, stop.signal)) {
        for (const entry of entries) {
          const at = replayed[entry.partition]!;
          if (!targets.has(entry.partition)) continue;
          if (entry.loggedAtMs > range.untilMs) targets.delete(entry.partition);
          else {
            take(at, entry, deps, out);
            taken(at, entry, out);
            out.clear();
            if (entry.sequence >= targets.get(entry.partition)!) targets.delete(entry.partition);
          }
        }
        await batch();
        if (targets.size === 0) break;
        await pace.after(entries, range);
      }
  } catch (error) {
    if (error instanceof BimrideError && error.code === "CURSOR_TOO_OLD")
      throw new RebuildError("the log's beginning overtook the rebuild: begin later, or read faster", {
        cause: error,
      });
    throw error;
  } finally {
    stop.abort();
  }
  return replayed;
}

async function begin(log: EventLog, { readFromMs }: ReplayRange): Promise<Replayed[]> {
  const replayed: Replayed[] = [];
  for (let partition = 0; partition < log.partitions; partition++) {
    const { first } = await log.bounds(partition);
    const from = Math.max(first, await log.sequenceAt(partition, readFromMs));
    const state = createPartitionState(partition);
    state.cursor = from - 1;
    const exact = from === first && (await log.lostAfter(partition, 0)) === 0;
    replayed.push({ state, entriesRead: 0, exact, metAtMs: new Map() });
  }
  return replayed;
}

/** The last sequence of each partition that has something to read. */
async function targetsOf(log: EventLog, replayed: readonly Replayed[]): Promise<Map<number, number>> {
  const targets = new Map<number, number>();
  for (const { state } of replayed) {
    const { last } = await log.bounds(state.partition);
    if (last > state.cursor) targets.set(state.partition, last);
  }
  return targets;
}

function take(at: Replayed, entry: LogEntry, { limits }: RebuildDeps, out: PipelineOutput): void {
  const { sequence, loggedAtMs } = entry;
  const { records } = decodeEntry(entry.body);
  at.entriesRead++;
  for (const record of records) {
    if (!("party" in record)) continue;
    const key = partyKey(record.party);
    if (!at.metAtMs.has(key)) at.metAtMs.set(key, Math.max(at.state.pipelineTimeMs, record.receivedAtMs));
  }
  processEntry(at.state, { sequence, loggedAtMs, records }, limits, out);
}

/** Holds the replay back, and tells how far it is. */
class Pace {
  readonly #deps: RebuildDeps;
  readonly #startedMs: number;
  #toldMs: number;
  #entries = 0;

  constructor(deps: RebuildDeps) {
    this.#deps = deps;
    this.#startedMs = deps.clock.monotonic();
    this.#toldMs = this.#startedMs;
  }

  async after(entries: readonly LogEntry[], { readFromMs, untilMs }: ReplayRange): Promise<void> {
    const { clock, entriesPerSecond, progress } = this.#deps;
    this.#entries += entries.length;
    const nowMs = clock.monotonic();
    if (nowMs - this.#toldMs >= PROGRESS_MS) {
      this.#toldMs = nowMs;
      const part =
        ((entries.at(-1)?.loggedAtMs ?? readFromMs) - readFromMs) / Math.max(1, untilMs - readFromMs);
      progress?.(`${this.#entries} entries read, ${Math.round(100 * Math.min(1, part))} % of the time`);
    }
    const dueMs = entriesPerSecond > 0 ? this.#startedMs + (1_000 * this.#entries) / entriesPerSecond : nowMs;
    // Others in this process get their turn in any case.
    if (dueMs > nowMs) await sleep(clock, dueMs - nowMs);
    else await new Promise((resolve) => setImmediate(resolve));
  }
}
