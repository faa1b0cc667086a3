import { distanceM } from "../../core/geo.ts";
import { isRunning, statusAt, type Trip, type TripStatus, type Waypoint } from "../../core/trip.ts";
import { hasPassed, wayPastM } from "./phase-pass.ts";
import { createPhaseState, NEVER, type PhaseState } from "./phase-state.ts";
import { paceFromPlaces, stopFrom, stopMs } from "./phase-stop.ts";
import { PHASE_THRESHOLDS, type PhaseThresholds } from "./phase-thresholds.ts";

export { createPhaseState, type PhaseState };

/** A published position of the trip's driver. */
export type PhaseSample = {
  latDeg: number;
  lonDeg: number;
  /** Metres per second; NaN while unknown. */
  speedMps: number;
  /** 68 % radius, metres; NaN while unknown. */
  accuracyM: number;
  /** True when the position is a prediction because the fix was rejected; it is not looked at. */
  outlier: boolean;
  /** Corrected capture time, milliseconds since 1970. The only clock here. */
  atMs: number;
};

/** What the fixes say: the status that began at `atMs`, about the waypoint with that index. */
export type PhaseChange = { status: TripStatus; waypointIndex: number; atMs: number };

/**
 * Looks at one in-order position of the trip's driver and says when it changes the phase; undefined otherwise. The state
 * is about the trip as it was last time; when the trip has changed in a way that matters (see {@link phaseReset}) it
 * starts anew by itself. After a change the caller must hand in the trip with the change applied.
 *
 * - NEW → ENROUTE_TO_PICKUP once the driver has moved by startM; or ARRIVED at once when standing there already.
 * - ENROUTE → ARRIVED by a stop: near the waypoint a short one, further off a longer one. `atMs` is the first fix of it.
 * - ARRIVED → ENROUTE to the next waypoint once the car is beyond the leave radius and drives. `atMs` is the first fix of
 *   that movement. Waypoints of one kind at one place (two riders, one door) are reached together, one after the other.
 * - A missed stop, ENROUTE → ENROUTE to the next: the car came by without a stop that the fixes show (they may be 30 s
 *   apart) and half of the way to the next waypoint is behind it, on the planned path if there is one. `atMs` is when it
 *   was nearest. A waypoint that it never came near is not skipped: that is for a person to say.
 * - Never back, never to COMPLETE or CANCELED, never before the time of the status so far or of the assignment.
 */
export function detectPhase(
  state: PhaseState,
  trip: Trip,
  sample: PhaseSample,
  limits: PhaseThresholds = PHASE_THRESHOLDS,
): PhaseChange | undefined {
  if (!isDetectable(trip)) return undefined;
  phaseReset(state, trip);
  return detectNext(state, trip, sample, limits);
}

/** True when the phases of the trip can be seen at all: it runs, and somebody drives it somewhere. */
export function isDetectable(trip: Trip): boolean {
  return trip.waypoints[trip.waypointIndex] !== undefined && trip.driverId !== "" && isRunning(trip);
}

/**
 * {@link detectPhase} for a trip that is the same as last time, which the caller knows. In the hot loop: as a rule it looks
 * at the state alone, not at the trip.
 */
export function detectNext(
  state: PhaseState,
  trip: Trip,
  sample: PhaseSample,
  limits: PhaseThresholds = PHASE_THRESHOLDS,
): PhaseChange | undefined {
  if (sample.outlier) return undefined;
  if (sample.atMs <= state.lastAtMs || sample.atMs < state.sinceMs || sample.accuracyM > limits.maxAccuracyM)
    return undefined;
  const farM = distanceM(state.waypointLatDeg, state.waypointLonDeg, sample.latDeg, sample.lonDeg);
  const paceMps = sample.speedMps >= 0 ? sample.speedMps : paceFromPlaces(state, sample, limits);
  if (state.lastAtMs === NEVER) {
    state.originLatDeg = sample.latDeg;
    state.originLonDeg = sample.lonDeg;
  }
  const change = state.status.startsWith("ARRIVED")
    ? whileAtWaypoint(state, trip, sample, farM, paceMps, limits)
    : whileUnderWay(state, trip, sample, farM, paceMps, limits);
  state.lastAtMs = sample.atMs;
  state.lastLatDeg = sample.latDeg;
  state.lastLonDeg = sample.lonDeg;
  return change;
}

/**
 * Tells the state that the trip was changed from outside (a TripChange record). What differs in status, waypoint, driver
 * or generation starts the detection anew from there; else nothing happens, so a detection that comes back through the
 * log costs nothing. When a person has taken the trip a stage back, the same evidence may not undo that: an arrival then
 * needs a car that has moved since, a departure one that has come back.
 */
export function phaseReset(state: PhaseState, trip: Trip): void {
  const waypoint = trip.waypoints[trip.waypointIndex];
  if (!waypoint || !isStale(state, trip, waypoint)) return;
  const back =
    state.tripId === trip.tripId &&
    state.generation === trip.generation &&
    stageOf(trip.status, trip.waypointIndex) < stageOf(state.status, state.waypointIndex);
  Object.assign(state, createPhaseState());
  state.tripId = trip.tripId;
  state.generation = trip.generation;
  state.status = trip.status;
  state.waypointIndex = trip.waypointIndex;
  state.waypointLatDeg = waypoint.position.latDeg;
  state.waypointLonDeg = waypoint.position.lonDeg;
  state.takenBack = back ? 1 : 0;
  const assignment = trip.assignments.at(-1);
  state.sinceMs = Math.max(trip.statusAtMs, assignment?.toMs === 0 ? assignment.fromMs : 0);
}

function isStale(state: PhaseState, trip: Trip, waypoint: Waypoint): boolean {
  return (
    state.status !== trip.status ||
    state.waypointIndex !== trip.waypointIndex ||
    state.generation !== trip.generation ||
    state.waypointLatDeg !== waypoint.position.latDeg ||
    state.waypointLonDeg !== waypoint.position.lonDeg ||
    state.tripId !== trip.tripId
  );
}

/** How far a status is: twice the waypoint, one more when there; −1 while NEW. */
function stageOf(status: TripStatus, waypointIndex: number): number {
  return status === "NEW" ? -1 : 2 * waypointIndex + (status.startsWith("ARRIVED") ? 1 : 0);
}

function whileUnderWay(
  state: PhaseState,
  trip: Trip,
  sample: PhaseSample,
  farM: number,
  paceMps: number,
  limits: PhaseThresholds,
): PhaseChange | undefined {
  const index = state.waypointIndex;
  const pastM = farM > limits.passM ? wayPastM(state, sample, farM, limits) : farM;
  if (pastM < state.nearestM) {
    state.nearestM = pastM;
    state.nearestAtMs = sample.atMs;
  }
  if (state.status === "NEW" || state.takenBack === 1) {
    const movedM = distanceM(state.originLatDeg, state.originLonDeg, sample.latDeg, sample.lonDeg);
    const moved = confirmed(state, movedM > limits.startM, sample.atMs, 0);
    if (moved && state.status === "NEW") return changed(state, trip, index, false, state.outsideFromMs);
    if (moved) state.takenBack = 0;
    else if (state.takenBack === 1) return undefined;
  }
  const stoodFromMs = stopFrom(state, sample, farM, paceMps, limits);
  if (stoodFromMs !== NEVER) {
    const drivesAgain = state.standFromMs === NEVER && paceMps >= limits.driveMps;
    const change = changed(state, trip, index, true, stoodFromMs);
    if (drivesAgain) state.movedFromMs = sample.atMs;
    return change;
  }
  if (state.status === "NEW" || state.nearestM > limits.passM || farM < limits.passM) return undefined;
  if (!hasPassed(state, trip, sample, limits)) return undefined;
  return changed(state, trip, index + 1, false, state.nearestAtMs);
}

function whileAtWaypoint(
  state: PhaseState,
  trip: Trip,
  sample: PhaseSample,
  farM: number,
  paceMps: number,
  limits: PhaseThresholds,
): PhaseChange | undefined {
  const index = trip.waypointIndex + 1;
  const waypoint = trip.waypoints[trip.waypointIndex];
  const next = trip.waypoints[index];
  if (!waypoint || !next) return undefined;
  const legM = distanceM(
    waypoint.position.latDeg,
    waypoint.position.lonDeg,
    next.position.latDeg,
    next.position.lonDeg,
  );
  const together = next.kind === waypoint.kind && legM <= limits.arriveNearM;
  if (together && paceMps <= limits.standMps && farM <= limits.arriveFarM)
    return sample.atMs - state.sinceMs >= stopMs(0, limits)
      ? changed(state, trip, index, false, sample.atMs)
      : undefined;
  const nextDoor = legM > limits.leaveFloorM;
  const leaveM = nextDoor ? Math.min(limits.leaveM, Math.max(limits.leaveFloorM, legM / 2)) : limits.leaveM;
  if (farM < state.nearestM) state.nearestM = farM;
  if (farM <= leaveM) state.takenBack = 0;
  if (farM <= leaveM && paceMps <= limits.standMps) state.movedFromMs = NEVER;
  else if (state.movedFromMs === NEVER && paceMps > limits.standMps) state.movedFromMs = sample.atMs;
  if (state.takenBack === 1) return undefined;
  // Who pressed "arrived" too early is still coming nearer: only from the nearest place on does the distance count.
  const outside = farM > Math.max(leaveM, state.nearestM + leaveM / 2);
  const gone = outside && (paceMps >= limits.driveMps || farM > 2 * leaveM);
  if (!confirmed(state, gone, sample.atMs, 1000 * limits.leaveS)) return undefined;
  const fromMs = state.movedFromMs === NEVER ? state.outsideFromMs : state.movedFromMs;
  return changed(state, trip, index, false, fromMs);
}

/** Counts samples in a row for which something holds: true from the second on, `spanMs` after the first at the earliest. */
function confirmed(state: PhaseState, holds: boolean, atMs: number, spanMs: number): boolean {
  if (!holds) {
    state.outsideCount = 0;
    return false;
  }
  if (state.outsideCount === 0) state.outsideFromMs = atMs;
  state.outsideCount++;
  return state.outsideCount >= 2 && atMs - state.outsideFromMs >= spanMs;
}

/** Makes the change, and the state one that knows of nothing since. */
function changed(
  state: PhaseState,
  trip: Trip,
  waypointIndex: number,
  arrived: boolean,
  fromMs: number,
): PhaseChange {
  const { kind, position } = trip.waypoints[waypointIndex]!;
  const { tripId, generation, originLatDeg, originLonDeg, sinceMs, standM } = state;
  const { paceAtMs, paceLatDeg, paceLonDeg, paceMps } = state;
  const change = { status: statusAt(kind, arrived), waypointIndex, atMs: Math.max(fromMs, sinceMs) };
  Object.assign(state, createPhaseState());
  Object.assign(state, { tripId, generation, originLatDeg, originLonDeg });
  Object.assign(state, { paceAtMs, paceLatDeg, paceLonDeg, paceMps });
  state.status = change.status;
  state.waypointIndex = waypointIndex;
  state.waypointLatDeg = position.latDeg;
  state.waypointLonDeg = position.lonDeg;
  state.sinceMs = change.atMs;
  if (arrived) state.nearestM = standM;
  return change;
}
