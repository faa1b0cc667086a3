import { partyKey } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { RiderPlace } from "../core/live.ts";
import { showsRider, type Trip } from "../core/trip.ts";
import type { Latest, LatestParty } from "../latest/latest.ts";

/**
 * Where the riders are whom the trip's driver may see, as the latest store has it. What is older than the trip, or so old
 * that nobody relies on it (lostAfterMs), is nobody's business: it tells where the rider was, not where they wait.
 */
export async function readRiderPlaces(
  trip: Trip,
  latest: Pick<Latest, "party">,
  nowMs: number,
  limits: Pick<Limits, "lostAfterMs">,
): Promise<RiderPlace[]> {
  const sinceMs = Math.max(trip.createdAtMs, nowMs - limits.lostAfterMs);
  const riderIds = trip.sharingRiderIds.filter((id) => showsRider(trip, id));
  const found = await Promise.all(
    riderIds.map(async (id) => {
      const party = await latest.party(partyKey({ kind: "rider", id }));
      return party && party.capturedAtMs >= sinceMs ? [placeOf(trip.tripId, id, party)] : [];
    }),
  );
  return found.flat();
}

/** Older than any place from the log. */
function placeOf(tripId: string, riderId: string, party: LatestParty): RiderPlace {
  const { latDeg, lonDeg, headingDeg, speedMps, capturedAtMs, receivedAtMs } = party;
  const stamps = { capturedAtMs, receivedAtMs, loggedAtMs: receivedAtMs, processedAtMs: receivedAtMs };
  const position = { latDeg, lonDeg, headingDeg, speedMps, accuracyM: Number.NaN, ...stamps };
  return { tripId, riderId, sequence: 0, index: 0, position };
}
