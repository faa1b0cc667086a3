import type { Limits } from "../core/limits.ts";
import { sweepShares } from "./shares.ts";
import { type PartitionState, partiesOf } from "./state.ts";
import { forgetTrip } from "./trip-changes.ts";

/** Pipeline time between two sweeps. */
const PERIOD_MS = 60_000;

/** Drops what nobody waits for any more: trips whose live access is over, parties long silent, riders' shares, erasures the log forgot. */
export function sweep(state: PartitionState, limits: Limits): void {
  const now = state.pipelineTimeMs;
  if (now - state.sweptAtMs < PERIOD_MS) return;
  state.sweptAtMs = now;
  for (const trip of state.trips.values()) {
    if (trip.live.dropAtMs > 0 && trip.live.dropAtMs <= now) forgetTrip(state, trip);
  }
  for (const party of partiesOf(state)) {
    if (now - party.lastSeenMs > limits.partyIdleMs) state.parties[party.party.kind].delete(party.party.id);
  }
  sweepShares(state, limits);
  for (const [key, erasedAtMs] of state.erased) {
    if (now - erasedAtMs > limits.logRetentionMs) state.erased.delete(key);
  }
}
