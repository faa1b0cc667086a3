import type { FixContext } from "../context.ts";
import { detectPhase } from "./phase.ts";

/** Sees in the driver's places where the trip stands (phase.ts). What driver or backend said explicitly always wins. */
export function phase(context: FixContext): boolean {
  const { trip: state, disposition, estimate, atMs, out } = context;
  context.phased = undefined;
  if (!state || disposition !== "applied") return true;
  const { latDeg, lonDeg, speedMps, accuracyM, outlier } = estimate;
  const found = detectPhase(state.phase, state.trip, { latDeg, lonDeg, speedMps, accuracyM, outlier, atMs });
  if (!found) return true;
  const { status, waypointIndex } = found;
  const trip = {
    ...state.trip,
    status,
    waypointIndex,
    statusSource: "detected" as const,
    statusAtMs: found.atMs,
  };
  out.detections.push({ tripId: trip.tripId, tripVersion: trip.version, ...found });
  out.trips.push(trip);
  state.trip = trip;
  state.live.trip = trip;
  context.phased = trip;
  return true;
}
