import type { LatLon } from "./geo.ts";

/** Statuses as in Google's Fleet Engine. */
export const TRIP_STATUSES = [
  "NEW",
  "ENROUTE_TO_PICKUP",
  "ARRIVED_AT_PICKUP",
  "ENROUTE_TO_INTERMEDIATE_DESTINATION",
  "ARRIVED_AT_INTERMEDIATE_DESTINATION",
  "ENROUTE_TO_DROPOFF",
  "ARRIVED_AT_DROPOFF",
  "COMPLETE",
  "CANCELED",
] as const;
export type TripStatus = (typeof TRIP_STATUSES)[number];

export const WAYPOINT_KINDS = ["pickup", "intermediate", "dropoff"] as const;
export type WaypointKind = (typeof WAYPOINT_KINDS)[number];

/** A place where the car is to stop. */
export type Waypoint = {
  kind: WaypointKind;
  position: LatLon;
  /** The rider who gets in or out here; empty when it concerns all riders. */
  riderId: string;
  /** A name to show, at most 200 characters; may be empty. */
  label: string;
};

export type TripType = "exclusive" | "shared";
/** Who set the status: a driver or the backend, or the pipeline, which saw it in the fixes. Explicit wins. */
export type StatusSource = "explicit" | "detected";

/** A trip as the trips store has it; a TripChange record of the log carries it whole. Times are server time. */
export type Trip = {
  tripId: string;
  region: string;
  type: TripType;
  /** Rises with every stored change, from 1. */
  version: number;
  /** Rises when the driver or the region changes, from 1; first part of live versions. */
  generation: number;
  status: TripStatus;
  statusSource: StatusSource;
  /** When the status was reached, as far as known: the fix's time when detected. */
  statusAtMs: number;
  /** Index of the waypoint the car is bound for or at; `waypoints.length` once the trip is over. */
  waypointIndex: number;
  riderIds: string[];
  /** Riders who agreed that the trip's driver sees where they are until the pickup; some of `riderIds`. */
  sharingRiderIds: string[];
  /** Empty while no driver is assigned. */
  driverId: string;
  waypoints: Waypoint[];
  /** The path planned by the backend; empty when none was given. At most 5,000 points. */
  plannedPath: LatLon[];
  createdAtMs: number;
  updatedAtMs: number;
  /** Who drove when: one entry per assignment, the open one with `toMs` 0. Serves late fixes, driver changes, erasure. */
  assignments: { driverId: string; fromMs: number; toMs: number }[];
  /** When the trip became COMPLETE or CANCELED; 0 while it runs. */
  endedAtMs: number;
  /** Why it was canceled; empty otherwise. At most 200 characters. */
  cancelReason: string;
};

/** What a driver does on their trip. In the order of their numbers in the contract, from 1; 0 is "not said". */
export const TRIP_ACTIONS = ["accept", "decline", "arrive", "start", "complete"] as const;
export type TripActionKind = (typeof TRIP_ACTIONS)[number];

/**
 * True while the trip's driver may see where the rider is: the rider agreed, and the car is on its way to their pickup or
 * stands at it. Their pickup is the first one that names them, else the first one for all; once the car has left it, it is
 * over for good.
 */
export function showsRider(trip: Trip, riderId: string): boolean {
  if (!isRunning(trip) || trip.status === "NEW" || !trip.driverId) return false;
  if (!trip.sharingRiderIds.includes(riderId) || !trip.riderIds.includes(riderId)) return false;
  return pickupOf(trip, riderId) >= trip.waypointIndex;
}

/** Index of the waypoint where the rider gets in; -1 when there is none. */
function pickupOf({ waypoints }: Trip, riderId: string): number {
  const pickupFor = (whose: string) =>
    waypoints.findIndex((waypoint) => waypoint.kind === "pickup" && waypoint.riderId === whose);
  const own = pickupFor(riderId);
  return own >= 0 ? own : pickupFor("");
}

/** True while the trip's fixes belong to it. */
export function isRunning(trip: Trip): boolean {
  return trip.status !== "COMPLETE" && trip.status !== "CANCELED";
}

/** The status of a trip whose car is bound for (`arrived` false) or stands at a waypoint of the kind. */
export function statusAt(kind: WaypointKind, arrived: boolean): TripStatus {
  const place = kind === "pickup" ? "PICKUP" : kind === "dropoff" ? "DROPOFF" : "INTERMEDIATE_DESTINATION";
  return arrived ? `ARRIVED_AT_${place}` : `ENROUTE_TO_${place}`;
}
