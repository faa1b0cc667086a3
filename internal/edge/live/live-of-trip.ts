import type { Limits } from "../../core/limits.ts";
import type { TripLive } from "../../core/live.ts";
import type { Trip } from "../../core/trip.ts";

/**
 * The live state of a trip of which nothing but the trip itself is known: it was created a moment ago, or its live state
 * was lost. Its version is older than any that comes from the log in the same generation, so the real state replaces it.
 */
export function liveOfTrip(trip: Trip, limits: Pick<Limits, "liveAfterEndMs">): TripLive {
  return {
    tripId: trip.tripId,
    version: { generation: trip.generation, sequence: 0, index: trip.version },
    trip,
    position: undefined,
    trail: [],
    device: undefined,
    dropAtMs: trip.endedAtMs > 0 ? trip.endedAtMs + limits.liveAfterEndMs : 0,
  };
}
