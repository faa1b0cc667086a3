import { BimrideError } from "../../core/errors.ts";
import type { LogEntry } from "../log.ts";

/** Entries per batch that a reader gets. */
export const MAX_ENTRIES_PER_BATCH = 1_000;

/** What a reader needs of the log. */
export type ReadSource = {
  /** Last sequence removed and last written. */
  bounds(partition: number): { through: number; last: number };
  /** Takes from memory what is there for it, see Tail. */
  inMemory(partition: number, after: number): boolean;
  takeFromMemory(partition: number, after: number, into: LogEntry[], limit: number): number;
  /** The next entries from the database, at least one if there is one. */
  fromDatabase(partition: number, after: number): Promise<LogEntry[]>;
  /** Resolves at the next commit, abort or end of the log. */
  changed(signal: AbortSignal): Promise<void>;
  /** "closed" ends readers, an error is thrown to them. */
  ended(): "closed" | Error | undefined;
};

/** The reading side of the port's `read`: from memory where it can, from the database where the reader lags. */
export async function* readEntries(
  source: ReadSource,
  after: ReadonlyMap<number, number>,
  signal: AbortSignal,
): AsyncGenerator<LogEntry[]> {
  const cursors = new Map(after);
  for (const [partition, cursor] of cursors) checkCursor(source, partition, cursor);
  while (!signal.aborted) {
    const ended = source.ended();
    if (ended === "closed") return;
    if (ended) throw ended;
    const batch = fromMemory(source, cursors);
    if (batch.length > 0) yield batch;
    let lagged = false;
    for (const [partition, cursor] of cursors) {
      checkCursor(source, partition, cursor);
      if (cursor === source.bounds(partition).last || source.inMemory(partition, cursor)) continue;
      lagged = true;
      const entries = await source.fromDatabase(partition, cursor);
      if (signal.aborted || source.ended() === "closed") return;
      if (entries[0]?.sequence !== cursor + 1) throw tooOld(partition);
      cursors.set(partition, entries.at(-1)!.sequence);
      yield entries;
      if (signal.aborted) return;
    }
    if (batch.length === 0 && !lagged) await source.changed(signal);
  }
}

function fromMemory(source: ReadSource, cursors: Map<number, number>): LogEntry[] {
  const batch: LogEntry[] = [];
  for (const [partition, cursor] of cursors) {
    if (batch.length >= MAX_ENTRIES_PER_BATCH) break;
    if (source.inMemory(partition, cursor))
      cursors.set(partition, source.takeFromMemory(partition, cursor, batch, MAX_ENTRIES_PER_BATCH));
  }
  return batch;
}

function checkCursor(source: ReadSource, partition: number, cursor: number): void {
  const { through, last } = source.bounds(partition);
  if (cursor < through) throw tooOld(partition);
  if (cursor > last)
    throw new BimrideError(
      "CURSOR_TOO_OLD",
      `The cursor of partition ${partition} lies beyond the log's end: it belongs to another log.`,
    );
}

function tooOld(partition: number): BimrideError {
  return new BimrideError(
    "CURSOR_TOO_OLD",
    `The cursor of partition ${partition} is older than the log's first record.`,
  );
}
