import { DEFAULT_LIMITS } from "../core/limits.ts";
import { isRunning, type Trip, type Waypoint } from "../core/trip.ts";
import type { EditResult, TripUpdate } from "./edit.ts";
import { stageOf, statusOfStage } from "./stage.ts";

/**
 * Changes driver, riders, waypoints or path of a running trip.
 *
 * - Driver: the open assignment closes, a new one opens, and the generation rises, because the trip's fixes now come from
 *   another partition; so it does when a trip without driver gets another first rider, in whose partition it lives until
 *   then. Before the car has left the first pickup the trip becomes NEW again (the new driver is not on the way yet);
 *   later the status stays, since the riders are under way.
 * - Riders: one who is taken off shares no place any more, also when put on again.
 * - Waypoints: those reached stay, also the one the car stands at; the given ones replace the rest. When the kind of the
 *   waypoint that the car is bound for changes, so does the status (a stop put in before the dropoff).
 *
 * What changes nothing is `unchanged`. Lengths, ids and coordinates are checked before (validate.ts); here only what
 * depends on the trip.
 */
export function applyUpdate(trip: Trip, update: TripUpdate, atMs: number): EditResult {
  if (!isRunning(trip)) return refused("TRIP_ENDED", "", "The trip is over.");
  const next: Trip = { ...trip };
  if (update.riderIds) {
    next.riderIds = [...update.riderIds];
    next.sharingRiderIds = trip.sharingRiderIds.filter((id) => next.riderIds.includes(id));
  }
  if (update.plannedPath) next.plannedPath = update.plannedPath.map((point) => ({ ...point }));
  if (update.waypoints) next.waypoints = [...reached(trip), ...update.waypoints.map(copyWaypoint)];
  const misfit = whyMisfit(next, update.waypoints ? reached(trip).length : trip.waypoints.length);
  if (misfit) return refused("FIELD_INVALID", misfit.field, misfit.reason);
  if (update.waypoints) followWaypoints(trip, next, atMs);
  if (update.driverId !== undefined && update.driverId !== trip.driverId) {
    assign(trip, next, update.driverId, atMs);
  } else if (!trip.driverId && next.riderIds[0] !== trip.riderIds[0]) {
    next.generation = trip.generation + 1;
  }
  if (JSON.stringify(next) === JSON.stringify(trip)) return { outcome: "unchanged" };
  next.version = trip.version + 1;
  next.updatedAtMs = Math.max(trip.updatedAtMs, atMs);
  return { outcome: "changed", trip: next };
}

function assign(trip: Trip, next: Trip, driverId: string, atMs: number): void {
  next.driverId = driverId;
  next.generation = trip.generation + 1;
  next.assignments = closeAssignments(trip, atMs);
  if (driverId) next.assignments.push({ driverId, fromMs: atMs, toMs: 0 });
  const stage = stageOf(trip);
  if (stage < 0 || stage > 1) return;
  next.status = "NEW";
  next.statusSource = "explicit";
  next.statusAtMs = atMs;
  next.waypointIndex = 0;
}

/** The assignments with the open one closed; never before it began, whatever the clock does. */
export function closeAssignments(trip: Trip, atMs: number): Trip["assignments"] {
  return trip.assignments.map((span) =>
    span.toMs === 0 ? { ...span, toMs: Math.max(span.fromMs, atMs) } : span,
  );
}

/** The status follows when the waypoint that the car is bound for is of another kind now. */
function followWaypoints(trip: Trip, next: Trip, atMs: number): void {
  const stage = stageOf(trip);
  if (stage < 0) return;
  const status = statusOfStage(next.waypoints, stage);
  if (status === trip.status) return;
  next.status = status;
  next.statusSource = "explicit";
  next.statusAtMs = atMs;
}

function reached(trip: Trip): Waypoint[] {
  const stage = stageOf(trip);
  return stage < 0 ? [] : trip.waypoints.slice(0, (stage + 1) >> 1);
}

/**
 * What is wrong with a trip as a whole, where a check of the single fields could not see it; fields are named as in the
 * request.
 * @param kept how many waypoints the trip had already and keeps; the request's own follow them
 */
export function whyMisfit(
  trip: Pick<Trip, "waypoints" | "waypointIndex" | "riderIds">,
  kept: number,
): { field: string; reason: string } | undefined {
  const { waypoints } = trip;
  const { maxWaypoints } = DEFAULT_LIMITS;
  if (waypoints.length < 2 || waypoints.length > maxWaypoints)
    return { field: "waypoints", reason: `A trip has 2 to ${maxWaypoints} waypoints.` };
  if (waypoints[0]?.kind !== "pickup")
    return { field: "waypoints[0].kind", reason: "The first waypoint is a pickup." };
  if (waypoints.at(-1)?.kind !== "dropoff")
    return {
      field: `waypoints[${waypoints.length - 1 - kept}].kind`,
      reason: "The last waypoint is a dropoff.",
    };
  for (let i = trip.waypointIndex; i < waypoints.length; i++) {
    const { riderId } = waypoints[i]!;
    if (riderId && !trip.riderIds.includes(riderId))
      return i < kept
        ? { field: "rider_ids", reason: "A rider with a waypoint ahead can't be left out." }
        : { field: `waypoints[${i - kept}].rider_id`, reason: "The rider is not one of the trip's riders." };
  }
  return undefined;
}

function copyWaypoint(waypoint: Waypoint): Waypoint {
  return { ...waypoint, position: { ...waypoint.position } };
}

function refused(code: "TRIP_ENDED" | "FIELD_INVALID", field: string, reason: string): EditResult {
  return { outcome: "refused", code, field, reason };
}
