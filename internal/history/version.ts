import type { RecordedFix, TripFinal } from "./history.ts";

/** What is added to the milliseconds of a version at most. */
const MAX_MINOR = 999;

/**
 * The version of a chunk's state: the greater is the newer. A chunk only grows, so its newest state has the latest fix
 * received, or more fixes of that same millisecond. In microseconds since 1970, so that engines can use it as the time
 * of a write: largest received time × 1,000 + number of fixes (at most 999).
 */
export function chunkVersion(fixes: readonly RecordedFix[]): number {
  let receivedAtMs = 0;
  for (const fix of fixes) if (fix.receivedAtMs > receivedAtMs) receivedAtMs = fix.receivedAtMs;
  return Math.round(receivedAtMs) * 1_000 + Math.min(fixes.length, MAX_MINOR);
}

/** The version of a final record, likewise: settlement time × 1,000 + revision (at most 999). */
export function finalVersion({ settledAtMs, revision }: Pick<TripFinal, "settledAtMs" | "revision">): number {
  return Math.round(settledAtMs) * 1_000 + Math.min(revision, MAX_MINOR);
}

/** The version of what is written over anything that was received until now. */
export function repairVersion(nowMs: number): number {
  return Math.round(nowMs) * 1_000 + MAX_MINOR;
}
