import { distanceM } from "../core/geo.ts";
import { isRunning, type StatusSource, statusAt, type Trip, type TripStatus } from "../core/trip.ts";
import type { PhaseSpan } from "../history/history.ts";
import { createPhaseState, detectPhase, type PhaseSample } from "./stages/phase.ts";

/** A point of a driver's final track. */
export type DrivePoint = PhaseSample & { speedSigmaMps: number };

/** The final track of the driver of one assignment, in order of time; `toMs` is the trip's end for the open one. */
export type Drive = { driverId: string; fromMs: number; toMs: number; points: readonly DrivePoint[] };

/** When a status began. */
type Mark = { status: TripStatus; waypointIndex: number; atMs: number; source: StatusSource };

/** What the final tracks and the trip say of its course. Times in server milliseconds; NaN: it did not happen. */
export type Course = { phases: PhaseSpan[]; assignedAtMs: number; arrivedAtMs: number; leftAtMs: number };

/**
 * The phases from the first assignment to `endMs`, without holes or overlaps. The final track goes through the same
 * detector as the live one; what the trip itself knows comes first:
 * - a driver who takes over before the pickup starts from NEW;
 * - an explicit status of a trip that still runs holds from its time on;
 * - COMPLETE says that the ride took place: when no departure from the pickup was seen (a pin on the wrong street), the
 *   car is taken to have passed it where it came nearest.
 */
export function courseOf(trip: Trip, drives: readonly Drive[], endMs: number): Course {
  const first = drives[0];
  if (!first) return { phases: [], assignedAtMs: Number.NaN, arrivedAtMs: Number.NaN, leftAtMs: Number.NaN };
  let marks = marksOf(trip, drives, endMs, undefined);
  if (trip.status === "COMPLETE" && !marks.some((mark) => stageOf(mark) > 0)) {
    const passed = nearestToPickup(trip, drives);
    if (passed) marks = marksOf(trip, drives, endMs, passed);
  }
  const assigned = marks.findLast((mark) => mark.status === "NEW")!;
  const arrived = marks.find((mark) => mark.status === "ARRIVED_AT_PICKUP" && mark.waypointIndex === 0);
  const left = marks.find((mark) => stageOf(mark) > 1) ?? (trip.status === "COMPLETE" ? arrived : undefined);
  return {
    phases: spansOf(marks, endMs),
    assignedAtMs: assigned.atMs,
    arrivedAtMs: arrived?.atMs ?? left?.atMs ?? Number.NaN,
    leftAtMs: left?.atMs ?? Number.NaN,
  };
}

/** All statuses in order of time. `given`: one that is known from elsewhere and holds from its time on. */
function marksOf(trip: Trip, drives: readonly Drive[], endMs: number, given: Mark | undefined): Mark[] {
  const marks: Mark[] = [];
  let known = given ?? explicitOf(trip);
  const state = createPhaseState();
  for (const [index, drive] of drives.entries()) {
    if (index === 0 || stageOf(marks.at(-1)!) < 2)
      add(marks, { status: "NEW", waypointIndex: 0, atMs: drive.fromMs, source: "explicit" }, endMs);
    let current = asOf(trip, marks.at(-1)!, drive, index);
    for (const point of drive.points) {
      if (known && point.atMs >= known.atMs) {
        add(marks, known, endMs);
        known = undefined;
        current = asOf(trip, marks.at(-1)!, drive, index);
      }
      const change = detectPhase(state, current, point);
      if (!change) continue;
      add(marks, { ...change, source: "detected" }, endMs);
      current = asOf(trip, marks.at(-1)!, drive, index);
    }
  }
  if (known) add(marks, known, endMs);
  return marks;
}

function explicitOf(trip: Trip): Mark | undefined {
  if (!isRunning(trip) || trip.status === "NEW" || trip.statusSource !== "explicit") return undefined;
  return {
    status: trip.status,
    waypointIndex: trip.waypointIndex,
    atMs: trip.statusAtMs,
    source: "explicit",
  };
}

/** The trip as it was during the drive, in that status. */
function asOf(trip: Trip, mark: Mark, drive: Drive, generation: number): Trip {
  const { status, waypointIndex, atMs: statusAtMs } = mark;
  const assignments = [{ driverId: drive.driverId, fromMs: drive.fromMs, toMs: 0 }];
  return { ...trip, status, waypointIndex, statusAtMs, generation, driverId: drive.driverId, assignments };
}

function add(marks: Mark[], mark: Mark, endMs: number): void {
  const last = marks.at(-1);
  if (last && last.status === mark.status && last.waypointIndex === mark.waypointIndex) return;
  marks.push({ ...mark, atMs: Math.min(endMs, Math.max(mark.atMs, last?.atMs ?? mark.atMs)) });
}

/** Twice the waypoint, one more when there; −1 while NEW. */
function stageOf(mark: Mark): number {
  return mark.status === "NEW" ? -1 : 2 * mark.waypointIndex + (mark.status.startsWith("ARRIVED") ? 1 : 0);
}

function nearestToPickup(trip: Trip, drives: readonly Drive[]): Mark | undefined {
  const pickup = trip.waypoints[0]?.position;
  const next = trip.waypoints[1];
  if (!pickup || !next) return undefined;
  const points = drives.findLast((drive) => drive.points.length > 0)?.points ?? [];
  let atMs = Number.NaN;
  let least = Number.POSITIVE_INFINITY;
  for (const point of points) {
    const farM = distanceM(pickup.latDeg, pickup.lonDeg, point.latDeg, point.lonDeg);
    if (farM >= least || point.outlier) continue;
    least = farM;
    atMs = point.atMs;
  }
  if (Number.isNaN(atMs)) return undefined;
  return { status: statusAt(next.kind, false), waypointIndex: 1, atMs, source: "detected" };
}

/** Spans without length say nothing and are left out. */
function spansOf(marks: readonly Mark[], endMs: number): PhaseSpan[] {
  return marks
    .map(({ status, atMs, source }, i) => ({
      status,
      fromMs: atMs,
      toMs: marks[i + 1]?.atMs ?? endMs,
      source,
    }))
    .filter((span) => span.toMs > span.fromMs);
}
