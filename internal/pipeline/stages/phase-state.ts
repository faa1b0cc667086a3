import type { TripStatus } from "../../core/trip.ts";

/** Stands for "no such time yet". Times of fixes are positive. */
export const NEVER = -1;

/**
 * What the phase detection remembers of one trip: plain numbers and strings of one shape, made for snapshots. Times are
 * corrected capture times in milliseconds, NEVER where there is none; places are degrees, distances metres.
 */
export type PhaseState = {
  /** What the rest is about; when the trip says otherwise the rest is void. */
  tripId: string;
  generation: number;
  status: TripStatus;
  waypointIndex: number;
  waypointLatDeg: number;
  waypointLonDeg: number;
  /** 1 from when a person took the trip a stage back until the car gives new reason. */
  takenBack: number;
  /** Fixes before it say nothing: time of the status or of the assignment. */
  sinceMs: number;
  /** The sample before. */
  lastAtMs: number;
  lastLatDeg: number;
  lastLonDeg: number;
  /** The first sample. */
  originLatDeg: number;
  originLonDeg: number;
  /** Where the pace was last taken, for devices without speed. */
  paceAtMs: number;
  paceLatDeg: number;
  paceLonDeg: number;
  paceMps: number;
  /** The stop under way: its first fix, what the gap before it is worth, the least distance to the waypoint. */
  standFromMs: number;
  standCreditMs: number;
  standM: number;
  /** The disc that the car has stayed in. */
  stayFromMs: number;
  stayLatDeg: number;
  stayLonDeg: number;
  /** The least distance to the waypoint in this status, and when. */
  nearestM: number;
  nearestAtMs: number;
  /** Progress towards the next waypoint at which the planned path is looked at again. */
  passCheckM: number;
  /** First fix of the movement away from the waypoint. */
  movedFromMs: number;
  /** Fixes in a row beyond a border, and the first of them. */
  outsideCount: number;
  outsideFromMs: number;
};

/** The state before the first sample. */
export function createPhaseState(): PhaseState {
  return {
    tripId: "",
    generation: 0,
    status: "NEW",
    waypointIndex: 0,
    waypointLatDeg: 0,
    waypointLonDeg: 0,
    takenBack: 0,
    sinceMs: 0,
    lastAtMs: NEVER,
    lastLatDeg: 0,
    lastLonDeg: 0,
    originLatDeg: 0,
    originLonDeg: 0,
    paceAtMs: NEVER,
    paceLatDeg: 0,
    paceLonDeg: 0,
    paceMps: 0,
    standFromMs: NEVER,
    standCreditMs: 0,
    standM: 0,
    stayFromMs: NEVER,
    stayLatDeg: 0,
    stayLonDeg: 0,
    nearestM: 1e9,
    nearestAtMs: NEVER,
    passCheckM: 0,
    movedFromMs: NEVER,
    outsideCount: 0,
    outsideFromMs: NEVER,
  };
}
