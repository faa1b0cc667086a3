import type { FixContext } from "../context.ts";
import type { TripState } from "../state.ts";
import { detectNext, isDetectable, phaseReset } from "./phase.ts";

/** Sees in the driver's places where the trip stands (phase.ts). What driver or backend said explicitly always wins. */
export function phase(context: FixContext): boolean {
  const { trip: state, disposition, estimate, out } = context;
  context.phased = undefined;
  if (!state || disposition !== "applied") return true;
  if (state.phaseOf !== state.trip) lookAtTrip(state);
  if (!state.hasPhases) return true;
  const found = detectNext(state.phase, state.trip, estimate);
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

/** The trip changed since the last fix: whether, and from where on, its phases can be seen. */
function lookAtTrip(state: TripState): void {
  state.hasPhases = isDetectable(state.trip);
  if (state.hasPhases) phaseReset(state.phase, state.trip);
  state.phaseOf = state.trip;
}
