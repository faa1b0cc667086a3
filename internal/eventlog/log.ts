/**
 * PORT: the event log of one region: partitions of ordered, durable entries.
 *
 * Implementations must ensure
 * - order: the sequences of a partition's entries rise, from 1 or later and with or without holes, and those of resolved
 *   appends of one process in the order of its calls; sequences of different partitions say nothing of each other;
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
  /**
   * True where one row of numbers is given to all partitions: who has read several of them up to a number has read each of
   * them up to it, also one that had nothing.
   */
  readonly numbersTogether: boolean;

  /**
   * Appends one entry (codec.ts) and gives its sequence. Rejects with LOG_UNAVAILABLE or LOG_FULL, within seconds, and at
   * once while the log is known to be away.
   */
  append(partition: number, body: Uint8Array): Promise<number>;

  /**
   * Entries of the given partitions after their cursors, in batches in order per partition, then new ones as they become
   * durable, until the signal aborts. Throws CURSOR_TOO_OLD when a cursor lies before what is kept, or beyond the log's
   * end; never skips. Batches hold at most 1,000 entries; the reader sets the pace. An engine that is away is waited for.
   * @param after per partition the last sequence already read, 0 for none; partitions that are not in it are not read
   */
  read(after: ReadonlyMap<number, number>, signal: AbortSignal): AsyncIterable<LogEntry[]>;

  /**
   * Where to begin and how far it goes: `first` − 1 is a cursor from which all that is kept can be read (an engine may
   * leave out what is about to go by age), `last` is the sequence of the last entry kept, `first` − 1 when there is none,
   * `end` is the largest cursor that a reader can have come to: `last`, or beyond where partitions are numbered together.
   */
  bounds(partition: number): Promise<LogBounds>;

  /**
   * A sequence from which on the partition's entries were logged at the time or later, and before which they were logged
   * earlier, as far as they are kept; beyond `last` when there is none.
   */
  sequenceAt(partition: number, timeMs: number): Promise<number>;

  /**
   * How many entries after the cursor have left the log: 0 as long as `read` can go on from it. An engine that numbers all
   * partitions together counts theirs too, so it may be less.
   */
  lostAfter(partition: number, cursor: number): Promise<number>;

  /**
   * Removes entries logged before the time. What has been removed stays removed; sequences are never given out again.
   * Who reads what is removed meanwhile gets CURSOR_TOO_OLD. An engine may remove by age on its own besides.
   */
  trim(beforeMs: number): Promise<void>;

  /** Undefined while appends work, else the error that the last one met. */
  health(): Promise<Error | undefined>;

  /** Waits for what is under way, then closes. Appends afterwards reject with LOG_UNAVAILABLE. */
  [Symbol.asyncDispose](): Promise<void>;
}

export type LogBounds = { first: number; last: number; end: number };

export type LogEntry = {
  partition: number;
  sequence: number;
  /** Clock of the engine when it stored the entry, milliseconds since 1970. */
  loggedAtMs: number;
  body: Uint8Array;
};
