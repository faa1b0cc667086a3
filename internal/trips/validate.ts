import { BimrideError } from "../core/errors.ts";
import type { LatLon } from "../core/geo.ts";
import { ID_PATTERN } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import type { Waypoint } from "../core/trip.ts";
import type { TripUpdate } from "./edit.ts";
import type { TripOrder } from "./new-trip.ts";
import { whyMisfit } from "./update.ts";

const MAX_LABEL_LENGTH = 200;

/** Throws FIELD_INVALID with the field where the order is not acceptable. Fields are named as in the request. */
export function checkOrder(order: TripOrder, limits: Limits): void {
  checkRiders(order.riderIds, limits);
  if (order.driverId) checkId(order.driverId, "driver_id");
  checkWaypoints(order.waypoints, limits);
  checkPath(order.plannedPath, limits);
  const misfit = whyMisfit({ waypoints: order.waypoints, waypointIndex: 0, riderIds: order.riderIds }, 0);
  if (misfit) throw invalid(misfit.field, misfit.reason);
}

/** The same for an update, as far as it can be told without the trip. */
export function checkUpdate(update: TripUpdate, limits: Limits): void {
  if (update.riderIds) checkRiders(update.riderIds, limits);
  if (update.driverId) checkId(update.driverId, "driver_id");
  if (update.waypoints) checkWaypoints(update.waypoints, limits);
  if (update.plannedPath) checkPath(update.plannedPath, limits);
}

export function checkReason(reason: string): void {
  if (reason.length > MAX_LABEL_LENGTH) throw invalid("reason", `At most ${MAX_LABEL_LENGTH} characters.`);
}

function checkRiders(riderIds: readonly string[], { maxRiders }: Limits): void {
  if (riderIds.length < 1 || riderIds.length > maxRiders)
    throw invalid("rider_ids", `1 to ${maxRiders} riders.`);
  riderIds.forEach((id, i) => {
    checkId(id, `rider_ids[${i}]`);
    if (riderIds.indexOf(id) !== i) throw invalid(`rider_ids[${i}]`, "A rider stands there twice.");
  });
}

function checkWaypoints(waypoints: readonly Waypoint[], { maxWaypoints }: Limits): void {
  if (waypoints.length > maxWaypoints) throw invalid("waypoints", `At most ${maxWaypoints} waypoints.`);
  waypoints.forEach(({ position, riderId, label }, i) => {
    checkPosition(position, `waypoints[${i}].position`);
    if (riderId) checkId(riderId, `waypoints[${i}].rider_id`);
    if (label.length > MAX_LABEL_LENGTH)
      throw invalid(`waypoints[${i}].label`, `At most ${MAX_LABEL_LENGTH} characters.`);
  });
}

function checkPath(path: readonly LatLon[], { maxPathPoints }: Limits): void {
  if (path.length > maxPathPoints) throw invalid("planned_path", `At most ${maxPathPoints} points.`);
  path.forEach((point, i) => {
    checkPosition(point, `planned_path[${i}]`);
  });
}

function checkPosition({ latDeg, lonDeg }: LatLon, field: string): void {
  if (!(Math.abs(latDeg) <= 90))
    throw invalid(`${field}.latitude_deg`, "Latitude must be -90 to 90 degrees.");
  if (!(Math.abs(lonDeg) <= 180))
    throw invalid(`${field}.longitude_deg`, "Longitude must be -180 to 180 degrees.");
}

function checkId(id: string, field: string): void {
  if (!ID_PATTERN.test(id)) throw invalid(field, "An id is 1 to 64 of A-Z a-z 0-9 _ -.");
}

function invalid(field: string, message: string): BimrideError {
  return new BimrideError("FIELD_INVALID", message, { field });
}
