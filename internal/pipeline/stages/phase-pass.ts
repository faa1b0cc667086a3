import { distanceM, lonDelta, METRES_PER_DEGREE } from "../../core/geo.ts";
import type { Trip } from "../../core/trip.ts";
import { NEVER, type PhaseState } from "./phase-state.ts";
import type { PhaseThresholds } from "./phase-thresholds.ts";

/** No car is faster, metres per second: further off than it could have come, the way between two fixes is not looked at. */
const FASTEST_MPS = 60;
/** Between fixes further apart than this the car may have been anywhere. */
const LONGEST_GAP_MS = 60_000;

type Place = { latDeg: number; lonDeg: number };

/** The least distance in metres from the state's waypoint to the straight way between the sample before and this one. */
export function wayPastM(
  state: PhaseState,
  sample: Place & { atMs: number },
  farM: number,
  limits: PhaseThresholds,
): number {
  const gapMs = sample.atMs - state.lastAtMs;
  if (state.lastAtMs === NEVER || gapMs > LONGEST_GAP_MS) return farM;
  if (farM > limits.passM + (gapMs / 1000) * FASTEST_MPS) return farM;
  const { waypointLatDeg, waypointLonDeg, lastLatDeg, lastLonDeg } = state;
  return toSegmentM(waypointLatDeg, waypointLonDeg, lastLatDeg, lastLonDeg, sample.latDeg, sample.lonDeg);
}

/**
 * True when the car, which came near the waypoint before, has so much of the straight line to the next one behind it
 * that it is not going to turn round, and is on the planned path if there is one.
 */
export function hasPassed(state: PhaseState, trip: Trip, sample: Place, limits: PhaseThresholds): boolean {
  const next = trip.waypoints[trip.waypointIndex + 1];
  if (!next) return false;
  const to = next.position;
  const legM = distanceM(state.waypointLatDeg, state.waypointLonDeg, to.latDeg, to.lonDeg);
  const doneM = legM - distanceM(sample.latDeg, sample.lonDeg, to.latDeg, to.lonDeg);
  const least = Math.min(limits.passMinM, 0.9 * legM);
  const neededM = Math.min(limits.passMaxM, Math.max(least, limits.passShare * legM));
  if (doneM < neededM || doneM < state.passCheckM) return false;
  state.passCheckM = doneM + limits.passStepM;
  return trip.plannedPath.length < 2 || isOnPath(trip.plannedPath, sample, limits.passPathM);
}

function isOnPath(path: readonly Place[], place: Place, withinM: number): boolean {
  for (let i = 1; i < path.length; i++) {
    const a = path[i - 1]!;
    const b = path[i]!;
    if (toSegmentM(place.latDeg, place.lonDeg, a.latDeg, a.lonDeg, b.latDeg, b.lonDeg) <= withinM)
      return true;
  }
  return false;
}

/** Metres from a place to a segment, flat around the place. */
function toSegmentM(
  latDeg: number,
  lonDeg: number,
  aLat: number,
  aLon: number,
  bLat: number,
  bLon: number,
): number {
  const perLon = METRES_PER_DEGREE * Math.cos((latDeg * Math.PI) / 180);
  const ax = lonDelta(lonDeg, aLon) * perLon;
  const ay = (aLat - latDeg) * METRES_PER_DEGREE;
  const dx = lonDelta(aLon, bLon) * perLon;
  const dy = (bLat - aLat) * METRES_PER_DEGREE;
  const length2 = dx * dx + dy * dy;
  const share = length2 > 0 ? Math.max(0, Math.min(1, -(ax * dx + ay * dy) / length2)) : 0;
  const x = ax + share * dx;
  const y = ay + share * dy;
  return Math.sqrt(x * x + y * y);
}
