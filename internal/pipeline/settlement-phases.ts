import { distanceM } from "../core/geo.ts";
import { statusAt, type Trip } from "../core/trip.ts";
import type { PhaseSpan } from "../history/history.ts";
import { type Mark, type Press, pressesOf, stageOf } from "./settlement-statuses.ts";
import { createPhaseState, detectPhase, type PhaseChange, type PhaseSample } from "./stages/phase.ts";

/** A point of a driver's final track. */
export type DrivePoint = PhaseSample & { speedSigmaMps: number };

/** The final track of the driver of one assignment, in order of time; `toMs` is the trip's end for the open one. */
export type Drive = { driverId: string; fromMs: number; toMs: number; points: readonly DrivePoint[] };

/** What the final tracks and the trip say of its course. Times in server milliseconds; NaN: it did not happen. */
export type Course = { phases: PhaseSpan[]; assignedAtMs: number; arrivedAtMs: number; leftAtMs: number };

/**
 * The phases from the first assignment to `endMs`, without holes or overlaps. The final track goes through the same
 * detector as the live one; what is known of the trip comes first:
 * - a driver who takes over before the pickup starts from NEW;
 * - an explicit status holds from its time on, and what the track says of the time before it must fit ({@link fits});
 * - COMPLETE says that the ride took place: when no departure from the pickup was seen (a pin on the wrong street), the
 *   car is taken to have passed it where it came nearest.
 */
export function courseOf(
  trip: Trip,
  drives: readonly Drive[],
  endMs: number,
  recorded: readonly Mark[],
): Course {
  const first = drives[0];
  if (!first) return { phases: [], assignedAtMs: Number.NaN, arrivedAtMs: Number.NaN, leftAtMs: Number.NaN };
  const presses = pressesOf(trip, recorded);
  let marks = marksOf(trip, drives, endMs, presses);
  if (trip.status === "COMPLETE" && !marks.some((mark) => stageOf(mark) > 0)) {
    const passed = nearestToPickup(trip, drives, presses.at(-1)?.atMs ?? 0);
    if (passed) marks = marksOf(trip, drives, endMs, [...presses, { ...passed, correction: false }]);
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

/** All statuses in order of time. */
function marksOf(trip: Trip, drives: readonly Drive[], endMs: number, presses: readonly Press[]): Mark[] {
  const marks: Mark[] = [];
  let next = 0;
  let pressedAtMs = 0;
  /** Takes in what people said up to the time. */
  const pressed = (untilMs: number): boolean => {
    const from = next;
    for (let press = presses[next]; press && press.atMs <= untilMs; press = presses[++next]) {
      add(marks, press, endMs);
      pressedAtMs = press.atMs;
    }
    return next > from;
  };
  const state = createPhaseState();
  for (const [index, drive] of drives.entries()) {
    if (index > 0) pressed(drive.fromMs - 1);
    if (index === 0 || stageOf(marks.at(-1)!) < 2)
      add(marks, { status: "NEW", waypointIndex: 0, atMs: drive.fromMs, source: "explicit" }, endMs);
    const untilMs = drives[index + 1]?.fromMs ?? endMs;
    let current = asOf(trip, marks.at(-1)!, drive, index);
    for (const point of drive.points) {
      if (pressed(point.atMs)) current = asOf(trip, marks.at(-1)!, drive, index);
      const change = detectPhase(state, current, point);
      const press = presses[next];
      // What somebody said at this very moment holds now, so the fixes show it from the next one on at the earliest.
      if (!change || point.atMs <= pressedAtMs) continue;
      if (press && press.atMs <= untilMs && !fits(change, press)) continue;
      // Somebody said that it was not so yet: then from when the fixes show it.
      const atMs = change.atMs > pressedAtMs ? change.atMs : point.atMs;
      add(marks, { ...change, atMs, source: "detected" }, endMs);
      current = asOf(trip, marks.at(-1)!, drive, index);
    }
  }
  pressed(Number.POSITIVE_INFINITY);
  return marks;
}

/**
 * True when a phase seen before somebody set a status is not what that one says, or further: it begins when it was set.
 * A correction brings back what was there before, so that may have been seen.
 */
function fits(change: PhaseChange, press: Press): boolean {
  return stageOf(change) < stageOf(press) + (press.correction ? 1 : 0);
}

/** The trip as it was during the drive, in that status. */
function asOf(trip: Trip, mark: Mark, drive: Drive, generation: number): Trip {
  const { status, waypointIndex, atMs: statusAtMs } = mark;
  const assignments = [{ driverId: drive.driverId, fromMs: drive.fromMs, toMs: 0 }];
  return { ...trip, status, waypointIndex, statusAtMs, generation, driverId: drive.driverId, assignments };
}

function add(marks: Mark[], { status, waypointIndex, atMs, source }: Mark, endMs: number): void {
  const last = marks.at(-1);
  if (last && last.status === status && last.waypointIndex === waypointIndex) {
    if (source === "explicit") last.source = source;
    return;
  }
  marks.push({ status, waypointIndex, source, atMs: Math.min(endMs, Math.max(atMs, last?.atMs ?? atMs)) });
}

function nearestToPickup(trip: Trip, drives: readonly Drive[], afterMs: number): Mark | undefined {
  const pickup = trip.waypoints[0]?.position;
  const next = trip.waypoints[1];
  if (!pickup || !next) return undefined;
  const points = drives.findLast((drive) => drive.points.length > 0)?.points ?? [];
  let atMs = Number.NaN;
  let least = Number.POSITIVE_INFINITY;
  for (const point of points) {
    const farM = distanceM(pickup.latDeg, pickup.lonDeg, point.latDeg, point.lonDeg);
    if (farM >= least || point.outlier || point.atMs <= afterMs) continue;
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
