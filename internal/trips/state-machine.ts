import {
  isRunning,
  type StatusSource,
  type Trip,
  type TripActionKind,
  type TripStatus,
} from "../core/trip.ts";
import type { EditResult, TripEdit } from "./edit.ts";
import {
  FIRST_STAGE_AFTER_PICKUP,
  NEW_STAGE,
  nextStageWith,
  type Stage,
  stageOf,
  statusOfStage,
  waypointOf,
  whyNotForward,
} from "./stage.ts";
import { applyUpdate, closeAssignments } from "./update.ts";

/** The trip after the edit, or why not. Pure: the trip itself is never touched. Changed trips are one version newer. */
export function applyEdit(trip: Trip, edit: TripEdit): EditResult {
  switch (edit.kind) {
    case "status":
      return edit.status === "CANCELED"
        ? cancel(trip, "", edit.atMs)
        : setStatus(trip, edit.status, edit.atMs);
    case "detected":
      return detect(trip, edit);
    case "action":
      return act(trip, edit);
    case "cancel":
      return cancel(trip, edit.reason, edit.atMs);
    case "update":
      return applyUpdate(trip, edit, edit.atMs);
    case "sharing":
      return share(trip, edit);
  }
}

function setStatus(trip: Trip, status: TripStatus, atMs: number): EditResult {
  if (trip.status === status) {
    const confirms = isRunning(trip) && trip.statusSource === "detected";
    return confirms ? changed(trip, atMs, { statusSource: "explicit" }) : { outcome: "unchanged" };
  }
  if (!isRunning(trip)) return illegal(`the trip is over (${trip.status})`);
  const from = stageOf(trip);
  if (status === "NEW") return illegal("a trip that is on its way does not become NEW again");
  if (status === "COMPLETE") return complete(trip, from, atMs);
  if (!trip.driverId) return illegal("no driver is assigned");
  const ahead = nextStageWith(trip.waypoints, from, status);
  const blocked = ahead === undefined ? undefined : whyNotForward(trip.waypoints, from, ahead);
  if (ahead !== undefined && !blocked) return moved(trip, ahead, "explicit", atMs);
  const back = correction(trip, from, status);
  if (back !== undefined) return moved(trip, back, "explicit", atMs);
  return illegal(`${status} can't follow ${trip.status}: ${blocked ?? "no such waypoint lies ahead"}`);
}

/** The earlier stage that the status puts right, if it may. */
function correction(trip: Trip, from: Stage, status: TripStatus): Stage | undefined {
  const oldest = trip.statusSource === "detected" ? from - 2 : from % 2 === 1 ? from - 1 : from;
  for (let stage = from - 1; stage >= Math.max(0, oldest); stage--)
    if (statusOfStage(trip.waypoints, stage) === status) return stage;
  return undefined;
}

/**
 * What the driver does: forward only, and what was done already is unchanged, so that a repeat after a cut is no fault.
 * Without a waypoint named ARRIVE and START are about the current one.
 */
function act(trip: Trip, { action, waypointIndex, atMs }: TripEdit & { kind: "action" }): EditResult {
  const from = stageOf(trip);
  if (trip.status === "COMPLETE" && wasDone(trip, action, waypointIndex)) return { outcome: "unchanged" };
  if (action === "complete") return setStatus(trip, "COMPLETE", atMs);
  if (!isRunning(trip)) return illegal(`the trip is over (${trip.status})`);
  if (!trip.driverId) return illegal("no driver is assigned");
  if (action === "decline")
    return from === NEW_STAGE
      ? applyUpdate(trip, { driverId: "" }, atMs)
      : illegal("the trip is not an offer any more");
  const to = stageAfter(trip, action, waypointIndex);
  if (to >= 2 * trip.waypoints.length)
    return illegal("there is no waypoint to go on to; COMPLETE ends the trip");
  if (to === from && trip.statusSource === "detected") return setStatus(trip, trip.status, atMs);
  if (to <= from) return { outcome: "unchanged" };
  const blocked = whyNotForward(trip.waypoints, from, to);
  return blocked ? illegal(`${action} is not possible now: ${blocked}`) : moved(trip, to, "explicit", atMs);
}

/** True for what lies behind a trip that was driven to its end. */
function wasDone({ waypoints }: Trip, action: TripActionKind, waypointIndex = 0): boolean {
  if (action === "decline") return false;
  // Nobody starts from the last waypoint.
  const last = waypoints.length - (action === "start" ? 2 : 1);
  return action === "complete" || action === "accept" || waypointIndex <= last;
}

/** The stage that an action leads to. */
function stageAfter(
  trip: Trip,
  action: "accept" | "arrive" | "start",
  waypointIndex: number | undefined,
): Stage {
  if (action === "accept") return 0;
  const at = waypointIndex ?? trip.waypointIndex;
  if (action === "arrive") return 2 * at + 1;
  // Without a waypoint named, START while the car drives is a repeat.
  return waypointIndex === undefined && stageOf(trip) % 2 === 0 ? stageOf(trip) : 2 * (at + 1);
}

function complete(trip: Trip, from: Stage, atMs: number): EditResult {
  if (from < FIRST_STAGE_AFTER_PICKUP)
    return illegal(
      `COMPLETE can't follow ${trip.status}: the car has not left the pickup; cancel the trip instead`,
    );
  return ended(trip, "COMPLETE", "", atMs);
}

function cancel(trip: Trip, reason: string, atMs: number): EditResult {
  if (trip.status === "CANCELED") return { outcome: "unchanged" };
  if (trip.status === "COMPLETE") return illegal("the trip is over (COMPLETE)");
  return ended(trip, "CANCELED", reason, atMs);
}

function share(trip: Trip, { riderId, granted, atMs }: TripEdit & { kind: "sharing" }): EditResult {
  if (!isRunning(trip))
    return { outcome: "refused", code: "TRIP_ENDED", field: "", reason: "The trip is over." };
  if (!trip.riderIds.includes(riderId))
    return { outcome: "refused", code: "NOT_FOUND", field: "", reason: "Not one of the trip's riders." };
  if (trip.sharingRiderIds.includes(riderId) === granted) return { outcome: "unchanged" };
  const others = trip.sharingRiderIds.filter((id) => id !== riderId);
  return changed(trip, atMs, { sharingRiderIds: granted ? [...others, riderId] : others });
}

function detect(trip: Trip, edit: TripEdit & { kind: "detected" }): EditResult {
  if (!isRunning(trip)) return illegal(`the trip is over (${trip.status})`);
  if (!trip.driverId) return illegal("no driver is assigned");
  if (edit.tripVersion > trip.version)
    return illegal("the detection speaks of a version that does not exist");
  const to = 2 * edit.waypointIndex + (edit.status.startsWith("ARRIVED") ? 1 : 0);
  const about = edit.waypointIndex >= 0 && edit.waypointIndex < trip.waypoints.length;
  if (!about || statusOfStage(trip.waypoints, to) !== edit.status)
    return illegal(`${edit.status} is not a status of the waypoint named`);
  const from = stageOf(trip);
  if (to === from) return { outcome: "unchanged" };
  const outdated = edit.tripVersion < trip.version;
  if (outdated && (trip.statusSource === "explicit" || edit.atMs < trip.updatedAtMs))
    return illegal("the trip was changed since the detection was made");
  if (edit.atMs < trip.statusAtMs) return illegal("the detection is older than the trip's status");
  if (to < from) return illegal("a detected phase never takes a trip back");
  const blocked = whyNotForward(trip.waypoints, from, to);
  if (blocked) return illegal(`${edit.status} can't follow ${trip.status}: ${blocked}`);
  return moved(trip, to, "detected", edit.atMs);
}

function moved(trip: Trip, to: Stage, source: StatusSource, atMs: number): EditResult {
  return changed(trip, atMs, {
    status: statusOfStage(trip.waypoints, to),
    statusSource: source,
    statusAtMs: atMs,
    waypointIndex: waypointOf(to),
  });
}

function ended(trip: Trip, status: "COMPLETE" | "CANCELED", cancelReason: string, atMs: number): EditResult {
  return changed(trip, atMs, {
    status,
    statusSource: "explicit",
    statusAtMs: atMs,
    waypointIndex: trip.waypoints.length,
    assignments: closeAssignments(trip, atMs),
    endedAtMs: atMs,
    cancelReason,
  });
}

function changed(trip: Trip, atMs: number, fields: Partial<Trip>): EditResult {
  const updatedAtMs = Math.max(trip.updatedAtMs, atMs);
  return { outcome: "changed", trip: { ...trip, ...fields, version: trip.version + 1, updatedAtMs } };
}

function illegal(reason: string): EditResult {
  return { outcome: "refused", code: "TRANSITION_ILLEGAL", field: "", reason };
}
