import { statusAt, type Trip, type TripStatus, type Waypoint } from "../core/trip.ts";

/**
 * How far a trip has come, as one number, so that "forward" means "larger": −1 while NEW, 2 i on the way to waypoint i,
 * 2 i + 1 at waypoint i, twice the number of waypoints once it is over.
 */
export type Stage = number;

export const NEW_STAGE: Stage = -1;
/** From here on the riders are in the car: it has left the first pickup. */
export const FIRST_STAGE_AFTER_PICKUP: Stage = 2;

/** The stage of a trip. */
export function stageOf(trip: Pick<Trip, "status" | "waypointIndex" | "waypoints">): Stage {
  if (trip.status === "NEW") return NEW_STAGE;
  if (trip.status === "COMPLETE" || trip.status === "CANCELED") return 2 * trip.waypoints.length;
  return 2 * trip.waypointIndex + (trip.status.startsWith("ARRIVED") ? 1 : 0);
}

/** Index of the waypoint that a stage from 0 on is about. */
export function waypointOf(stage: Stage): number {
  return stage >> 1;
}

/** The status at a stage that is about one of the waypoints. Throws a RangeError for others. */
export function statusOfStage(waypoints: readonly Waypoint[], stage: Stage): TripStatus {
  const waypoint = waypoints[waypointOf(stage)];
  if (!waypoint) throw new RangeError("the stage is not about a waypoint");
  return statusAt(waypoint.kind, stage % 2 === 1);
}

/** The first stage after `from` that has the status, or undefined when none lies ahead. */
export function nextStageWith(
  waypoints: readonly Waypoint[],
  from: Stage,
  status: TripStatus,
): Stage | undefined {
  for (let stage = from + 1; stage < 2 * waypoints.length; stage++)
    if (statusOfStage(waypoints, stage) === status) return stage;
  return undefined;
}

/**
 * Why the car may not go on from one stage to a later one, in words; undefined when it may. Passing the waypoint it is
 * bound for without an arrival is fine (nobody pressed the button), and so is leaving out stops on the way; a pickup or
 * dropoff that it was never bound for may not be left out.
 */
export function whyNotForward(waypoints: readonly Waypoint[], from: Stage, to: Stage): string | undefined {
  const first = from === NEW_STAGE ? 0 : waypointOf(from) + 1;
  for (let index = first; index < waypointOf(to); index++) {
    const kind = waypoints[index]?.kind;
    if (kind !== "intermediate") return `the car was not yet bound for the ${kind} that lies between`;
  }
  return undefined;
}
