import { isRunning, type StatusSource, statusAt, type Trip, type TripStatus } from "../core/trip.ts";

/** A status that the trip had and when it began, server time; `waypointIndex` as in {@link Trip}. */
export type Mark = { status: TripStatus; waypointIndex: number; atMs: number; source: StatusSource };

/** A status that a person set. `correction`: it took back a later one, so that the trip had been here before. */
export type Press = Mark & { correction: boolean };

/**
 * What people said of the trip's course, in order of time, out of all statuses that were recorded of it, in any order,
 * copies allowed, and its own one. Only the ways to waypoints and the stops there: NEW comes from the assignments, the
 * end from the trip. A status about a waypoint that is another one now says nothing.
 */
export function pressesOf(trip: Trip, recorded: readonly Mark[]): Press[] {
  const { status, waypointIndex, statusAtMs: atMs, statusSource: source } = trip;
  const marks = isRunning(trip) ? [...recorded, { status, waypointIndex, atMs, source }] : [...recorded];
  const presses: Press[] = [];
  let before = -1;
  for (const mark of marks.filter((mark) => fits(trip, mark)).sort(compare)) {
    const stage = stageOf(mark);
    if (mark.source === "explicit" && mark.status !== "NEW")
      presses.push({ ...mark, correction: stage < before });
    before = stage;
  }
  return presses;
}

/** How far a status is: twice the waypoint, one more when there; −1 while NEW. */
export function stageOf({ status, waypointIndex }: Pick<Mark, "status" | "waypointIndex">): number {
  return status === "NEW" ? -1 : 2 * waypointIndex + (status.startsWith("ARRIVED") ? 1 : 0);
}

function fits(trip: Trip, { status, waypointIndex }: Mark): boolean {
  const kind = trip.waypoints[waypointIndex]?.kind;
  return status === "NEW" || (kind !== undefined && statusAt(kind, status.startsWith("ARRIVED")) === status);
}

/** By time, then by stage, what was merely detected first. */
function compare(a: Mark, b: Mark): number {
  return (
    a.atMs - b.atMs ||
    stageOf(a) - stageOf(b) ||
    Number(a.source === "explicit") - Number(b.source === "explicit")
  );
}
