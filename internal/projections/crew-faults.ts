import { partyKey } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { LiveChange } from "../core/live.ts";
import { compareVersions, formatVersion, type Version } from "../core/version.ts";
import { decodeEntry } from "../eventlog/codec.ts";
import type { EventLog, LogEntry } from "../eventlog/log.ts";
import type { History } from "../history/history.ts";
import { PipelineOutput } from "../pipeline/output.ts";
import { processEntry } from "../pipeline/pipeline.ts";
import { createPartitionState } from "../pipeline/state.ts";
import { DRIVERS } from "./crew-traffic.ts";
import { trackOf } from "./crew-watchers.ts";

/** Fixes that were appended and are not in history exactly once. @param appended by partition */
export async function historyFaults(history: History, appended: readonly number[]): Promise<string[]> {
  const faults = await Promise.all(
    DRIVERS.map(async (id, partition) => {
      const seqs = (await trackOf(history, id)).map(({ seq }) => seq).toSorted((a, b) => a - b);
      const complete = seqs.length === appended[partition] && seqs.every((seq, i) => seq === i);
      const key = partyKey({ kind: "driver", id });
      return complete ? [] : [`history of ${key}: ${seqs.length} fixes of ${appended[partition]}`];
    }),
  );
  return faults.flat();
}

/** Everything in the log up to the ends. */
export async function readAll(
  log: EventLog,
  ends: readonly { first: number; last: number }[],
): Promise<LogEntry[]> {
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
export function versionsOf(entries: readonly LogEntry[], limits: Limits): Map<string, string[]> {
  const states = DRIVERS.map((_, partition) => createPartitionState(partition));
  const versions = new Map<string, string[]>();
  for (const { partition, sequence, loggedAtMs, body } of entries) {
    const out = new PipelineOutput();
    const { records } = decodeEntry(body);
    processEntry(states[partition]!, { sequence, loggedAtMs, records }, limits, out);
    for (const { tripId, version } of out.changes)
      versions.set(tripId, [...(versions.get(tripId) ?? []), formatVersion(version)]);
  }
  return versions;
}

/** What a reader finds wrong who drops what is not newer: holes, and anything else than what the log makes. */
export function readerFaults(
  published: readonly LiveChange[],
  expected: ReadonlyMap<string, string[]>,
): string[] {
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
