import { create } from "@bufbuild/protobuf";
import { type TripChange, TripChangeSchema } from "../../../gen/bimride/log/v1/record_pb.ts";
import type { LatLng } from "../../../gen/bimride/tracking/v1/fix_pb.ts";
import {
  StatusSource,
  type Trip as TripMessage,
  TripSchema,
  type TripStatus,
  TripType,
  type WaypointKind,
  type Waypoint as WaypointMessage,
} from "../../../gen/bimride/tracking/v1/trip_pb.ts";
import type { LatLon } from "../../core/geo.ts";
import { regionOfTrip } from "../../core/ids.ts";
import { TRIP_STATUSES, type Trip, WAYPOINT_KINDS, type Waypoint } from "../../core/trip.ts";
import type { LogRecord } from "../record.ts";
import { toNumber } from "./wire.ts";

type TripChangeRecord = Extract<LogRecord, { kind: "tripChange" }>;

/** The record as a message. The region is not in it: the trip id names it. */
export function toTripChange(record: TripChangeRecord): TripChange {
  const { trip } = record;
  return create(TripChangeSchema, {
    receivedAtMs: toInt64(record.receivedAtMs),
    assignments: trip.assignments.map(({ driverId, fromMs, toMs }) => ({
      driverId,
      fromMs: toInt64(fromMs),
      toMs: toInt64(toMs),
    })),
    trip: create(TripSchema, {
      tripId: trip.tripId,
      version: BigInt(trip.version),
      generation: trip.generation,
      type: trip.type === "shared" ? TripType.SHARED : TripType.EXCLUSIVE,
      status: (TRIP_STATUSES.indexOf(trip.status) + 1) as TripStatus,
      statusSource: trip.statusSource === "detected" ? StatusSource.DETECTED : StatusSource.EXPLICIT,
      statusAtMs: toInt64(trip.statusAtMs),
      riderIds: trip.riderIds,
      sharingRiderIds: trip.sharingRiderIds,
      driverId: trip.driverId,
      waypoints: trip.waypoints.map((waypoint) => ({
        kind: (WAYPOINT_KINDS.indexOf(waypoint.kind) + 1) as WaypointKind,
        position: toLatLng(waypoint.position),
        riderId: waypoint.riderId,
        label: waypoint.label,
      })),
      waypointIndex: trip.waypointIndex,
      plannedPath: trip.plannedPath.map(toLatLng),
      createdAtMs: toInt64(trip.createdAtMs),
      updatedAtMs: toInt64(trip.updatedAtMs),
      endedAtMs: toInt64(trip.endedAtMs),
      cancelReason: trip.cancelReason,
    }),
  });
}

/** Inverse of {@link toTripChange}; throws a RangeError when the trip is missing or has a value from the future. */
export function fromTripChange(message: TripChange): TripChangeRecord {
  if (!message.trip) throw new RangeError("a trip change without a trip");
  const assignments = message.assignments.map(({ driverId, fromMs, toMs }) => ({
    driverId,
    fromMs: toNumber(fromMs),
    toMs: toNumber(toMs),
  }));
  return {
    kind: "tripChange",
    receivedAtMs: toNumber(message.receivedAtMs),
    trip: fromTripMessage(message.trip, assignments),
  };
}

function fromTripMessage(message: TripMessage, assignments: Trip["assignments"]): Trip {
  const status = TRIP_STATUSES[message.status - 1];
  if (!status) throw new RangeError("a trip of unknown status");
  return {
    tripId: message.tripId,
    region: regionOfTrip(message.tripId),
    type: message.type === TripType.SHARED ? "shared" : "exclusive",
    version: toNumber(message.version),
    generation: message.generation,
    status,
    statusSource: message.statusSource === StatusSource.DETECTED ? "detected" : "explicit",
    statusAtMs: toNumber(message.statusAtMs),
    waypointIndex: message.waypointIndex,
    riderIds: message.riderIds,
    sharingRiderIds: message.sharingRiderIds,
    driverId: message.driverId,
    waypoints: message.waypoints.map(fromWaypointMessage),
    plannedPath: message.plannedPath.map(fromLatLng),
    createdAtMs: toNumber(message.createdAtMs),
    updatedAtMs: toNumber(message.updatedAtMs),
    assignments,
    endedAtMs: toNumber(message.endedAtMs),
    cancelReason: message.cancelReason,
  };
}

function fromWaypointMessage(message: WaypointMessage): Waypoint {
  const kind = WAYPOINT_KINDS[message.kind - 1];
  if (!kind || !message.position) throw new RangeError("a waypoint of unknown kind or without a position");
  return { kind, position: fromLatLng(message.position), riderId: message.riderId, label: message.label };
}

function toLatLng(point: LatLon): { latitudeDeg: number; longitudeDeg: number } {
  return { latitudeDeg: point.latDeg, longitudeDeg: point.lonDeg };
}

function fromLatLng(message: LatLng): LatLon {
  return { latDeg: message.latitudeDeg, lonDeg: message.longitudeDeg };
}

function toInt64(timeMs: number): bigint {
  return BigInt(Math.round(timeMs));
}
