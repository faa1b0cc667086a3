import type { Limits } from "../core/limits.ts";
import type { EventLog } from "../eventlog/log.ts";
import { RebuildError, WARM_UP_MS } from "./rebuild-deps.ts";

/** What was asked for. Times are server time, milliseconds since 1970. */
export type Asked = {
  /** Undefined for all that the log has, however long before it was captured. */
  fromMs: number | undefined;
  /** Undefined for as far as it goes. */
  toMs: number | undefined;
};

/** What is read and what is judged. */
export type Range = {
  /** 0 for everything. */
  fromMs: number;
  toMs: number;
  readFromMs: number;
  /** Log time of the newest entry that is read. */
  untilMs: number;
  /** Log time of the oldest entry kept. */
  logBeginsMs: number;
};

/**
 * @param guardMs how much of the log's end is left to its running owners
 * @throws RebuildError when the log does not reach so far back, or nothing is left to look at
 */
export async function rangeOf(
  log: EventLog,
  { fromMs, toMs }: Asked,
  limits: Pick<Limits, "maxFixAheadMs">,
  nowMs: number,
  guardMs: number,
): Promise<Range> {
  const logBeginsMs = await oldestOf(log);
  if (logBeginsMs === undefined) throw new RebuildError(`the log of region ${log.region} is empty`);
  if (fromMs !== undefined && fromMs < logBeginsMs)
    throw new RebuildError(
      `the log of region ${log.region} begins at ${iso(logBeginsMs)}: --from must not be before (log: from there), it is ${iso(fromMs)}`,
    );
  const untilMs = nowMs - guardMs;
  const end = Math.min(toMs ?? untilMs, untilMs);
  if (end < (fromMs ?? logBeginsMs))
    throw new RebuildError(
      `there is nothing to look at: what came after ${iso(untilMs)} is left to those who write it now`,
    );
  // A device clock may be ahead by so much, so that the fix came before its time.
  const readFromMs = Math.max(logBeginsMs, (fromMs ?? 0) - limits.maxFixAheadMs - WARM_UP_MS);
  return { fromMs: fromMs ?? 0, toMs: end, readFromMs, untilMs, logBeginsMs };
}

/** Time as in reports and messages. */
export function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

async function oldestOf(log: EventLog): Promise<number | undefined> {
  let oldestMs: number | undefined;
  for (let partition = 0; partition < log.partitions; partition++) {
    const { first, last } = await log.bounds(partition);
    if (last < first) continue;
    const stop = new AbortController();
    for await (const [entry] of log.read(new Map([[partition, first - 1]]), stop.signal)) {
      if (!entry) continue;
      oldestMs = Math.min(oldestMs ?? entry.loggedAtMs, entry.loggedAtMs);
      break;
    }
    stop.abort();
  }
  return oldestMs;
}
