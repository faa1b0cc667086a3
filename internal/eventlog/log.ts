/**
 * PORT: the event log of one region: partitions of ordered, durable entries.
 *
 * Implementations must ensure
 * - order: entries of a partition get sequences 1, 2, 3 … in the order of `append` calls of one process;
 * - durability: `append` resolves only when the entry is durable (see docs/ENGINES.md for what each engine means by it);
 *   a resolved entry is read by every reader, also after a crash, until it is older than the retention;
 * - atomicity: an entry is there whole or not at all;
 * - bounded memory: at most `maxPendingLogBytes` wait for durability; more is refused with LOG_UNAVAILABLE;
 * - honesty: a full disk is LOG_FULL, and `health` says so until an append succeeds again. A rejected append may
 *   nevertheless have been stored (its answer was lost); readers must bear repeats.
 */
export interface EventLog {
  readonly region: string;
  readonly partitions: number;

  /** Appends one entry (codec.ts). Rejects with LOG_UNAVAILABLE or LOG_FULL. */
  append(partition: number, body: Uint8Array): Promise<number>;

  /**
   * Entries after `cursor` for the given partitions, in batches in order per partition, then new ones as they become
   * durable, until the signal aborts. Throws CURSOR_TOO_OLD when a cursor lies before what is kept; never skips.
   * Batches hold at most 1,000 entries; the reader sets the pace.
   * @param after per partition the last sequence already read; a missing partition starts at 0
   */
  read(after: ReadonlyMap<number, number>, signal: AbortSignal): AsyncIterable<LogEntry[]>;

  /** First sequence kept and last sequence written; {first: 1, last: 0} when empty. */
  bounds(partition: number): Promise<{ first: number; last: number }>;

  /** Removes entries logged before the time. What has been removed stays removed; sequences are never given out again. */
  trim(beforeMs: number): Promise<void>;

  /** Undefined while appends work, else the error that the last one met. */
  health(): Promise<Error | undefined>;

  /** Waits for what is under way, then closes. Appends afterwards reject with LOG_UNAVAILABLE. */
  [Symbol.asyncDispose](): Promise<void>;
}

export type LogEntry = {
  partition: number;
  sequence: number;
  /** Clock of the engine when it stored the entry, milliseconds since 1970. */
  loggedAtMs: number;
  body: Uint8Array;
};
