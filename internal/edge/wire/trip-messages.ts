import { create } from "@bufbuild/protobuf";
import type { LatLng } from "../../../gen/bimride/tracking/v1/fix_pb.ts";
import * as pb from "../../../gen/bimride/tracking/v1/trip_pb.ts";
import { BimrideError } from "../../core/errors.ts";
import type { LatLon } from "../../core/geo.ts";
import { TRIP_STATUSES, type Trip, type TripStatus, type TripType, type Waypoint } from "../../core/trip.ts";
import type { NewTrip, TripChanges } from "../deps.ts";

const KIND_TO_WIRE = {
  pickup: pb.WaypointKind.PICKUP,
  intermediate: pb.WaypointKind.INTERMEDIATE,
  dropoff: pb.WaypointKind.DROPOFF,
} as const;
const TYPE_TO_WIRE = { exclusive: pb.TripType.EXCLUSIVE, shared: pb.TripType.SHARED } as const;
export const SOURCE_TO_WIRE = {
  explicit: pb.StatusSource.EXPLICIT,
  detected: pb.StatusSource.DETECTED,
} as const;

/** The message of a trip that was reduced for its viewer before (see redact.ts). */
export function tripMessage(trip: Trip): pb.Trip {
  return create(pb.TripSchema, {
    tripId: trip.tripId,
    version: BigInt(trip.version),
    type: TYPE_TO_WIRE[trip.type],
    status: pb.TripStatus[trip.status],
    statusSource: SOURCE_TO_WIRE[trip.statusSource],
    statusAtMs: BigInt(Math.round(trip.statusAtMs)),
    riderIds: trip.riderIds,
    sharingRiderIds: trip.sharingRiderIds,
    driverId: trip.driverId,
    waypoints: trip.waypoints.map((waypoint) => ({
      kind: KIND_TO_WIRE[waypoint.kind],
      position: latLng(waypoint.position),
      riderId: waypoint.riderId,
      label: waypoint.label,
    })),
    waypointIndex: trip.waypointIndex,
    plannedPath: trip.plannedPath.map(latLng),
    createdAtMs: BigInt(Math.round(trip.createdAtMs)),
    updatedAtMs: BigInt(Math.round(trip.updatedAtMs)),
    endedAtMs: BigInt(Math.round(trip.endedAtMs)),
    cancelReason: trip.cancelReason,
    generation: trip.generation,
  });
}

/** What a CreateTrip asks for. Throws FIELD_INVALID for what the message type alone allows; ranges are the use-case's. */
export function newTripOf(request: pb.CreateTripRequest): NewTrip {
  return {
    idempotencyKey: request.idempotencyKey,
    type: tripTypeOf(request.type),
    riderIds: request.riderIds,
    driverId: request.driverId,
    waypoints: waypointsOf(request.waypoints),
    plannedPath: pathOf(request.plannedPath),
  };
}

/** What an UpdateTrip changes: lists that are empty are not given. Throws FIELD_INVALID. */
export function tripChangesOf(request: pb.UpdateTripRequest): TripChanges {
  const changes: TripChanges = {};
  if (request.driverId !== undefined) changes.driverId = request.driverId;
  if (request.riderIds.length > 0) changes.riderIds = request.riderIds;
  if (request.waypoints.length > 0) changes.waypoints = waypointsOf(request.waypoints);
  if (request.plannedPath.length > 0) changes.plannedPath = pathOf(request.plannedPath);
  return changes;
}

/** Throws FIELD_INVALID for UNSPECIFIED and numbers that name no status. */
export function tripStatusOf(status: pb.TripStatus): TripStatus {
  const found = TRIP_STATUSES.find((candidate) => pb.TripStatus[candidate] === status);
  if (!found)
    throw new BimrideError("FIELD_INVALID", "The status is not one of a trip's.", { field: "status" });
  return found;
}

/** A uint64 field as a number. Throws FIELD_INVALID above 2^53 − 1. */
export function safeNumber(value: bigint, field: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new BimrideError("FIELD_INVALID", "The number is too large.", { field });
  }
  return Number(value);
}

function tripTypeOf(type: pb.TripType): TripType {
  if (type === pb.TripType.UNSPECIFIED || type === pb.TripType.EXCLUSIVE) return "exclusive";
  if (type === pb.TripType.SHARED) return "shared";
  throw new BimrideError("FIELD_INVALID", "The type is not one of a trip's.", { field: "type" });
}

function waypointsOf(waypoints: pb.Waypoint[]): Waypoint[] {
  return waypoints.map((waypoint, i) => ({
    kind: waypointKindOf(waypoint.kind, `waypoints[${i}].kind`),
    position: latLonOf(waypoint.position, `waypoints[${i}].position`),
    riderId: waypoint.riderId,
    label: waypoint.label,
  }));
}

function waypointKindOf(kind: pb.WaypointKind, field: string): Waypoint["kind"] {
  if (kind === pb.WaypointKind.PICKUP) return "pickup";
  if (kind === pb.WaypointKind.INTERMEDIATE) return "intermediate";
  if (kind === pb.WaypointKind.DROPOFF) return "dropoff";
  throw new BimrideError("FIELD_INVALID", "The kind is not one of a waypoint's.", { field });
}

function pathOf(path: LatLng[]): LatLon[] {
  return path.map((point) => ({ latDeg: point.latitudeDeg, lonDeg: point.longitudeDeg }));
}

function latLonOf(point: LatLng | undefined, field: string): LatLon {
  if (!point) throw new BimrideError("POSITION_INVALID", "The position is missing.", { field });
  return { latDeg: point.latitudeDeg, lonDeg: point.longitudeDeg };
}

function latLng(point: LatLon): { latitudeDeg: number; longitudeDeg: number } {
  return { latitudeDeg: point.latDeg, longitudeDeg: point.lonDeg };
}
