import { partitionOf } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import { isRunning, showsRider, type Trip } from "../core/trip.ts";
import type { PipelineOutput } from "./output.ts";
import type { PartitionState, RiderShare } from "./state.ts";

/**
 * A trip as stored came by: what its riders of this partition share with it follows, the higher version wins. Where a
 * driver was told a place that they may not see any more, that is told once.
 */
export function sharesChanged(
  state: PartitionState,
  entry: { sequence: number },
  trip: Trip,
  limits: Limits,
  out: PipelineOutput,
): void {
  for (const riderId of trip.sharingRiderIds)
    if (partitionOf({ kind: "rider", id: riderId }, limits.partitions) === state.partition)
      begin(state, entry, riderId, trip, limits, out);
  // Sorted: the order in which they came is not in snapshots.
  for (const riderId of [...(state.sharersOf.get(trip.tripId) ?? [])].sort()) {
    const share = shareOf(state, riderId, trip.tripId);
    if (!share || trip.version <= share.trip.version) continue;
    share.trip = trip;
    if (!showsRider(trip, riderId)) hide(share, entry, out);
  }
}

/** The rider is to be forgotten: no driver is shown their place. What they agreed to is the trip's to forget. */
export function sharesErased(
  state: PartitionState,
  entry: { sequence: number },
  riderId: string,
  out: PipelineOutput,
): void {
  for (const share of state.shares.get(riderId) ?? []) hide(share, entry, out);
}

/** Adds a share in its place: trip ids sort by creation. */
export function addShare(state: PartitionState, share: RiderShare): void {
  const { riderId, trip } = share;
  const shares = [...(state.shares.get(riderId) ?? []), share];
  shares.sort((a, b) => (a.trip.tripId < b.trip.tripId ? -1 : 1));
  state.shares.set(riderId, shares);
  const sharers = state.sharersOf.get(trip.tripId);
  if (sharers) sharers.add(riderId);
  else state.sharersOf.set(trip.tripId, new Set([riderId]));
}

/** All shares of the partition. */
export function* allShares({ shares }: PartitionState): Generator<RiderShare> {
  for (const ofRider of shares.values()) yield* ofRider;
}

/** Drops shares that nothing in the log can touch any more: some time after the trip's end, or after its last change. */
export function sweepShares(state: PartitionState, limits: Limits): void {
  const now = state.pipelineTimeMs;
  for (const share of [...allShares(state)]) {
    const { endedAtMs, updatedAtMs } = share.trip;
    const isOver = endedAtMs > 0 && endedAtMs + limits.liveAfterEndMs <= now;
    if (isOver || updatedAtMs + limits.partyIdleMs < now) forgetShare(state, share);
  }
}

function begin(
  state: PartitionState,
  entry: { sequence: number },
  riderId: string,
  trip: Trip,
  limits: Limits,
  out: PipelineOutput,
): void {
  if (!isRunning(trip) || shareOf(state, riderId, trip.tripId)) return;
  const oldest = state.shares.get(riderId)?.at(-limits.maxSharedTripsPerRider);
  // Older than all of a full list: one that was forgotten, perhaps told of anew by old news.
  if (oldest && trip.tripId < oldest.trip.tripId) return;
  addShare(state, { riderId, trip, shown: false });
  if (!oldest) return;
  hide(oldest, entry, out);
  forgetShare(state, oldest);
}

function shareOf(state: PartitionState, riderId: string, tripId: string): RiderShare | undefined {
  return state.shares.get(riderId)?.find((share) => share.trip.tripId === tripId);
}

function hide(share: RiderShare, { sequence }: { sequence: number }, out: PipelineOutput): void {
  if (!share.shown) return;
  share.shown = false;
  const { riderId, trip } = share;
  out.riders.push({ tripId: trip.tripId, riderId, sequence, index: out.riders.length, position: undefined });
}

function forgetShare(state: PartitionState, { riderId, trip }: RiderShare): void {
  const left = state.shares.get(riderId)?.filter((share) => share.trip.tripId !== trip.tripId) ?? [];
  if (left.length > 0) state.shares.set(riderId, left);
  else state.shares.delete(riderId);
  const sharers = state.sharersOf.get(trip.tripId);
  sharers?.delete(riderId);
  if (sharers?.size === 0) state.sharersOf.delete(trip.tripId);
}
