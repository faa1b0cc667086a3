import { showsRider } from "../../core/trip.ts";
import { type FixContext, positionOf } from "../context.ts";

/**
 * Puts out where a rider is for the driver of each trip that they share it with, while the driver may see it. Like a car's
 * place it moves only with fixes in order; one captured before the trip was made is none of its driver's business.
 */
export function share(context: FixContext): boolean {
  const { state, party, disposition, atMs, sequence, out } = context;
  context.shared = false;
  if (party.party.kind !== "rider" || disposition !== "applied") return true;
  const shares = state.shares.get(party.party.id);
  if (!shares) return true;
  for (const each of shares) {
    const { riderId, trip } = each;
    if (atMs < trip.createdAtMs || !showsRider(trip, riderId)) continue;
    each.shown = context.shared = true;
    const { tripId } = trip;
    out.riders.push({ tripId, riderId, sequence, index: out.riders.length, position: positionOf(context) });
  }
  return true;
}
