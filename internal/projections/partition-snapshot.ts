import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ProjectionSnapshotSchema } from "../../gen/bimride/state/v1/projection_pb.ts";
import type { Limits } from "../core/limits.ts";
import { decodeState, encodeState } from "../pipeline/snapshot.ts";
import { createPartitionState, type PartitionState } from "../pipeline/state.ts";
import type { ProjectionDeps } from "./projection-deps.ts";
import type { View } from "./view.ts";

const SNAPSHOT_FORMAT = 1;

/** Name under which a projection's snapshot of a partition is kept, e.g. `live-07`. */
export function snapshotName(projection: string, partition: number): string {
  return `${projection}-${String(partition).padStart(2, "0")}`;
}

/**
 * Saves a snapshot of the partition as it stands now.
 * @param before runs between taking and saving: stores what isn't in it; false when it must not be saved any more
 * @returns whether it was saved
 */
export async function saveSnapshot(
  { snapshots }: ProjectionDeps,
  view: View,
  state: PartitionState,
  own: Uint8Array,
  before: () => Promise<boolean>,
): Promise<boolean> {
  const snapshot = create(ProjectionSnapshotSchema, {
    format: SNAPSHOT_FORMAT,
    pipeline: encodeState(state),
    own,
  });
  const body = toBinary(ProjectionSnapshotSchema, snapshot);
  const may = await before();
  if (may) await snapshots.save(snapshotName(view.name, state.partition), body);
  return may;
}

/** The partition's state from its last snapshot, else empty before the first entry that the log has; the view knows. */
export async function restorePartition(
  deps: ProjectionDeps,
  view: View,
  partition: number,
): Promise<PartitionState> {
  const { log, snapshots, logger, events } = deps;
  const body = await snapshots.load(snapshotName(view.name, partition));
  const { first, end } = await log.bounds(partition);
  const resumed = body && resume(deps, view, partition, body);
  if (resumed && resumed.cursor <= end) return resumed;
  if (resumed)
    logger.warn({ partition }, "snapshot is ahead of the log: the log was replaced, starting anew");
  if (first > 1) events?.startedAnew(view.name, partition, first);
  const state = createPartitionState(partition);
  state.cursor = first - 1;
  view.restored(state, undefined);
  return state;
}

/** The cursor of a snapshot; undefined for one that this build can't read. */
export function snapshotCursor(body: Uint8Array, limits: Limits): number | undefined {
  try {
    return decodeState(fromBinary(ProjectionSnapshotSchema, body).pipeline, limits).cursor;
  } catch {
    return undefined; // the next start finds it useless too, and reads the log from its first entry
  }
}

/** The snapshot as it is, but for the cursor. */
export function withCursor(body: Uint8Array, cursor: number, limits: Limits): Uint8Array {
  const snapshot = fromBinary(ProjectionSnapshotSchema, body);
  const state = decodeState(snapshot.pipeline, limits);
  state.cursor = cursor;
  snapshot.pipeline = encodeState(state);
  return toBinary(ProjectionSnapshotSchema, snapshot);
}

/** A snapshot that can't be used only lengthens the replay: all that the log keeps is read again. */
function resume(
  { limits, logger }: ProjectionDeps,
  view: View,
  partition: number,
  body: Uint8Array,
): PartitionState | undefined {
  try {
    const snapshot = fromBinary(ProjectionSnapshotSchema, body);
    if (snapshot.format !== SNAPSHOT_FORMAT) throw new RangeError(`format ${snapshot.format} is not known`);
    const state = decodeState(snapshot.pipeline, limits);
    view.restored(state, snapshot.own);
    return state;
  } catch (error) {
    logger.warn(
      { err: error, projection: view.name, partition },
      "snapshot can't be used, reading the log instead",
    );
    return undefined;
  }
}
