import type { Principal } from "../auth/principal.ts";
import { statusAt, type Trip, type Waypoint } from "../core/trip.ts";

/** A trip as one viewer may see it. */
export type TripView = {
  trip: Trip;
  /** False for a rider who has left a shared car: where it goes from there is the others' business. */
  seesCar: boolean;
};

/** True for those who may watch the trip live: its riders, its driver, support and ops. */
export function mayWatch(principal: Principal, trip: Trip): boolean {
  return isParty(principal, trip) || principal.role === "support" || principal.role === "ops";
}

/** True for those who may read the trip's record: its riders, its driver and support. */
export function mayReadRecord(principal: Principal, trip: Trip): boolean {
  return isParty(principal, trip) || principal.role === "support";
}

/**
 * The trip reduced to what the principal may see; undefined when that is nothing, which is the default.
 *
 * - backend, support, ops: all of it;
 * - its driver: all but who drove it before;
 * - its riders: of the riders, also of those who share their place, only themselves, no record of drivers; on a shared trip only the stops that concern them,
 *   with index and status told by these, and no path (it leads past the others' doors).
 */
export function viewOf(trip: Trip, principal: Principal): TripView | undefined {
  switch (principal.role) {
    case "backend":
    case "support":
    case "ops":
      return { trip, seesCar: true };
    case "driver":
      return isParty(principal, trip) ? { trip: driversTrip(trip), seesCar: true } : undefined;
    case "rider":
      return isParty(principal, trip) ? ridersView(trip, principal.subject) : undefined;
    default:
      return undefined;
  }
}

/**
 * Index of the last waypoint of a shared trip that concerns the principal: where they leave the car. The last of all for
 * those who see the whole trip, -1 for a rider whom no waypoint concerns.
 */
export function leavesAt(trip: Trip, { role, subject }: Principal): number {
  return role === "rider" && trip.type === "shared"
    ? lastOwnWaypoint(trip, subject)
    : trip.waypoints.length - 1;
}

function lastOwnWaypoint(trip: Trip, riderId: string): number {
  return trip.waypoints.findLastIndex((waypoint) => concernsRider(waypoint, riderId));
}

function isParty({ role, subject }: Principal, trip: Trip): boolean {
  if (!subject) return false;
  if (role === "driver") return trip.driverId === subject;
  return role === "rider" && trip.riderIds.includes(subject);
}

function driversTrip(trip: Trip): Trip {
  return { ...trip, assignments: trip.assignments.filter((span) => span.driverId === trip.driverId) };
}

function ridersView(trip: Trip, riderId: string): TripView {
  const sharingRiderIds = trip.sharingRiderIds.filter((id) => id === riderId);
  const own = { ...trip, riderIds: [riderId], sharingRiderIds, assignments: [] };
  if (trip.type === "exclusive") {
    const waypoints = trip.waypoints.map((waypoint) => withoutOthers(waypoint, riderId));
    return { trip: { ...own, waypoints }, seesCar: true };
  }
  return sharedView(own, riderId);
}

function sharedView(trip: Trip, riderId: string): TripView {
  const concerns = (waypoint: Waypoint) => concernsRider(waypoint, riderId);
  const waypoints = trip.waypoints.filter(concerns);
  if (waypoints.length === trip.waypoints.length) return { trip, seesCar: true };

  const waypointIndex = trip.waypoints.slice(0, trip.waypointIndex).filter(concerns).length;
  const reduced: Trip = { ...trip, waypoints, waypointIndex, plannedPath: [] };
  const running = trip.status !== "COMPLETE" && trip.status !== "CANCELED";
  // Over: where the car stands is this rider's business when they went along to the end.
  const toTheEnd = lastOwnWaypoint(trip, riderId) === trip.waypoints.length - 1;
  if (!running) return { trip: reduced, seesCar: toTheEnd };
  if (trip.status === "NEW") return { trip: reduced, seesCar: true };

  const next = waypoints[waypointIndex];
  if (!next) return { trip: { ...reduced, status: "COMPLETE" }, seesCar: false };
  const current = trip.waypoints[trip.waypointIndex];
  if (current && concerns(current)) return { trip: reduced, seesCar: true };
  return { trip: { ...reduced, status: statusAt(next.kind, false) }, seesCar: true };
}

function concernsRider({ riderId: whose }: Waypoint, riderId: string): boolean {
  return whose === riderId || whose === "";
}

function withoutOthers(waypoint: Waypoint, riderId: string): Waypoint {
  return concernsRider(waypoint, riderId) ? waypoint : { ...waypoint, riderId: "" };
}
