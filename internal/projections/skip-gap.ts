import type { Limits } from "../core/limits.ts";
import type { EventLog } from "../eventlog/log.ts";
import type { Snapshots } from "../partitions/snapshots.ts";
import { findGaps, type Gap } from "./gaps.ts";
import { snapshotCursor, snapshotName, withCursor } from "./partition-snapshot.ts";

export type SkipGapDeps = { log: EventLog; snapshots: Snapshots; limits: Limits };

/**
 * Lets a partition that stopped because the log lost what came next go on at the log's first entry, at its next start:
 * its snapshot keeps all it knows, the rows that are not stored yet too, and gets a cursor there. What lay between is
 * lost to the view; the gap says how much that is.
 * @param dryRun only looks
 * @returns undefined where the partition can go on as it is
 */
export async function skipGap(
  { log, snapshots, limits }: SkipGapDeps,
  projection: string,
  partition: number,
  dryRun: boolean,
): Promise<Gap | undefined> {
  const name = snapshotName(projection, partition);
  const body = await snapshots.load(name);
  const cursor = body && snapshotCursor(body, limits);
  if (!body || cursor === undefined) return undefined;
  const [gap] = await findGaps(log, new Map([[partition, cursor]]));
  // One beyond the log's end belongs to another log: the next start leaves it by itself.
  if (!gap || gap.lost === 0) return undefined;
  if (!dryRun) await snapshots.save(name, withCursor(body, gap.first - 1, limits));
  return gap;
}
