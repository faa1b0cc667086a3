import { BimrideError } from "../../core/errors.ts";
import type { Limits } from "../../core/limits.ts";
import type { TripLive } from "../../core/live.ts";
import type { Trip } from "../../core/trip.ts";
import type { Latest } from "../../latest/latest.ts";

/**
 * The live state of a trip that has none yet: nothing but the trip itself is known. Its version is older than any that
 * comes from the log in the same generation, so the real state replaces it.
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

/**
 * What to say of a trip whose live state was not found and has been lost, until it is written anew; undefined when it has
 * none yet. The trip alone would look as if the car were gone, under a version older than what viewers have seen.
 */
export async function lossOf(
  trip: Trip,
  latest: Pick<Latest, "intactSince">,
): Promise<BimrideError | undefined> {
  if (trip.createdAtMs >= (await latest.intactSince(trip.tripId))) return undefined;
  return new BimrideError("STORE_UNAVAILABLE", "The trip's live state was lost and is being written anew.");
}
