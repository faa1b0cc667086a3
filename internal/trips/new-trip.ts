import type { LatLon } from "../core/geo.ts";
import type { Trip, TripType, Waypoint } from "../core/trip.ts";

/** What the backend orders. */
export type TripOrder = {
  type: TripType;
  riderIds: string[];
  /** Empty when the driver comes later. */
  driverId: string;
  waypoints: Waypoint[];
  plannedPath: LatLon[];
};

/** Version 1 of a trip: NEW, bound for its first waypoint. */
export function newTrip(tripId: string, region: string, order: TripOrder, atMs: number): Trip {
  return {
    tripId,
    region,
    type: order.type,
    version: 1,
    generation: 1,
    status: "NEW",
    statusSource: "explicit",
    statusAtMs: atMs,
    waypointIndex: 0,
    riderIds: [...order.riderIds],
    sharingRiderIds: [],
    driverId: order.driverId,
    waypoints: order.waypoints.map((waypoint) => ({ ...waypoint, position: { ...waypoint.position } })),
    plannedPath: order.plannedPath.map((point) => ({ ...point })),
    createdAtMs: atMs,
    updatedAtMs: atMs,
    assignments: order.driverId ? [{ driverId: order.driverId, fromMs: atMs, toMs: 0 }] : [],
    endedAtMs: 0,
    cancelReason: "",
  };
}
