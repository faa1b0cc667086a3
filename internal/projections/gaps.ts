import type { EventLog } from "../eventlog/log.ts";

/** What a partition's cursor can't be followed by any more: the log removed it, or is another log. */
export type Gap = {
  partition: number;
  cursor: number;
  /** Where the log begins now. */
  first: number;
  /** Where it ends now. */
  last: number;
  /** Entries that were lost; an engine that numbers all partitions together counts theirs too, so it may be less. */
  lost: number;
};

/** The partitions, of those whose cursors are given, that can't be read on without skipping. */
export async function findGaps(log: EventLog, cursors: ReadonlyMap<number, number>): Promise<Gap[]> {
  const gaps: Gap[] = [];
  for (const [partition, cursor] of cursors) {
    const lost = await log.lostAfter(partition, cursor);
    const { first, last, end } = await log.bounds(partition);
    if (lost > 0 || cursor > end) gaps.push({ partition, cursor, first, last, lost });
  }
  return gaps;
}
