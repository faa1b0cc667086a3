import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import type { EventLog } from "../eventlog/log.ts";

/** What a rebuild works with, whatever the view. */
export type RebuildDeps = {
  log: EventLog;
  limits: Limits;
  clock: Clock;
  /** Entries read per second at most, so that those who work are not disturbed; 0 for as fast as it goes. */
  entriesPerSecond: number;
  /** Told every few seconds how far it is, in words. */
  progress?(words: string): void;
};

/** What can't be done as asked; the message says why and what can. */
export class RebuildError extends Error {
  override readonly name = "RebuildError";
}

/**
 * So long before the range the log is read, as far as it reaches: a session's numbers, the filter, the running trips are
 * known then as their owner knew them.
 */
export const WARM_UP_MS = 2 * 3_600_000;
/** A party that the replay has known for so long is known as its owner knew it. */
export const WARM_AFTER_MS = 30 * 60_000;
