import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type AssignmentEndReason,
  type PublishBatchResponse,
  PublishBatchResponseSchema,
  type PublishResponse,
  PublishResponseSchema,
  VerdictCode,
  type VerdictSchema,
  type WantedAccuracy,
  type WelcomeSchema,
} from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import {
  StatusSource,
  type TripSchema,
  type TripStatus,
  TripType,
  type WaypointKind,
} from "../../../gen/bimride/tracking/v1/trip_pb.ts";
import type { LatLon } from "../../core/geo.ts";
import { TRIP_STATUSES, type Trip, WAYPOINT_KINDS } from "../../core/trip.ts";
import {
  type Ack,
  ASSIGNMENT_ENDS,
  type Assignment,
  type AssignmentEnd,
  type BatchAnswer,
  type ServerMessage,
  type Verdict,
  type Welcome,
} from "../messages.ts";
import { WANTED_ACCURACIES } from "../rate-input.ts";
import type { WantedRate } from "../wanted-rate.ts";

/** The message as it goes out on a stream. */
export function fromServerMessage(message: ServerMessage): PublishResponse {
  return create(PublishResponseSchema, { message: toCase(message) });
}

function toCase(message: ServerMessage): MessageInitShape<typeof PublishResponseSchema>["message"] {
  switch (message.kind) {
    case "welcome":
      return { case: "welcome", value: fromWelcome(message) };
    case "ack":
      return { case: "ack", value: fromAck(message) };
    case "assignment":
      return { case: "assignment", value: fromAssignment(message) };
    case "wantedRate":
      return { case: "wantedRate", value: fromWantedRate(message) };
    case "superseded": {
      const { sessionEpoch, retryAfterMs } = message;
      return { case: "superseded", value: { sessionEpoch: BigInt(sessionEpoch), retryAfterMs } };
    }
    case "tokenRefreshRequest":
      return { case: "tokenRefreshRequest", value: { expiresAtMs: BigInt(message.expiresAtMs) } };
    case "actionResult": {
      const { actionId, code, retryable } = message;
      return { case: "actionResult", value: { actionId, code, message: message.message, retryable } };
    }
    case "drain":
      return { case: "drain", value: { reconnectWithinMs: message.reconnectWithinMs } };
    case "move":
      return { case: "move", value: { region: message.region } };
    case "problem": {
      const { code, field, batchId, retryable } = message;
      return { case: "problem", value: { code, message: message.message, field, batchId, retryable } };
    }
  }
}

/** The answer to a batch call. */
export function fromBatchAnswer({ ack, wantedRate, region }: BatchAnswer): PublishBatchResponse {
  return create(PublishBatchResponseSchema, {
    ack: fromAck(ack),
    wantedRate: fromWantedRate(wantedRate),
    region,
  });
}

function fromWelcome(welcome: Welcome): MessageInitShape<typeof WelcomeSchema> {
  return {
    sessionEpoch: BigInt(welcome.sessionEpoch),
    serverTimeMs: BigInt(welcome.serverTimeMs),
    region: welcome.region,
    assignment: fromAssignment(welcome.assignment),
    wantedRate: fromWantedRate(welcome.wantedRate),
    resumeAfterSeq: welcome.resumeAfterSeq,
    clockOffsetMs: BigInt(welcome.clockOffsetMs),
  };
}

function fromAck(ack: Ack) {
  return {
    batchId: ack.batchId,
    verdicts: ack.verdicts.map(fromVerdict),
    receivedAtMs: BigInt(ack.receivedAtMs),
    retryAfterMs: ack.retryAfterMs,
    assignmentVersion: BigInt(ack.assignmentVersion),
  };
}

function fromVerdict({ seq, code, reason, field }: Verdict): MessageInitShape<typeof VerdictSchema> {
  return { seq, code: VerdictCode[code], reason, field };
}

function fromAssignment({ version, trip, ended }: Assignment) {
  return {
    version: BigInt(version),
    ...(trip && { trip: fromTrip(trip) }),
    ...(ended && { ended: fromAssignmentEnd(ended) }),
  };
}

function fromAssignmentEnd({ tripId, reason, cancelReason }: AssignmentEnd) {
  return { tripId, reason: (ASSIGNMENT_ENDS.indexOf(reason) + 1) as AssignmentEndReason, cancelReason };
}

function fromWantedRate({ intervalMs, accuracy, reason }: WantedRate) {
  return { intervalMs, reason, accuracy: (WANTED_ACCURACIES.indexOf(accuracy) + 1) as WantedAccuracy };
}

function fromTrip(trip: Trip): MessageInitShape<typeof TripSchema> {
  return {
    tripId: trip.tripId,
    version: BigInt(trip.version),
    type: trip.type === "shared" ? TripType.SHARED : TripType.EXCLUSIVE,
    status: (TRIP_STATUSES.indexOf(trip.status) + 1) as TripStatus,
    statusSource: trip.statusSource === "detected" ? StatusSource.DETECTED : StatusSource.EXPLICIT,
    statusAtMs: BigInt(Math.round(trip.statusAtMs)),
    riderIds: trip.riderIds,
    sharingRiderIds: trip.sharingRiderIds,
    driverId: trip.driverId,
    waypoints: trip.waypoints.map(({ kind, position, riderId, label }) => ({
      kind: (WAYPOINT_KINDS.indexOf(kind) + 1) as WaypointKind,
      position: fromLatLon(position),
      riderId,
      label,
    })),
    waypointIndex: trip.waypointIndex,
    plannedPath: trip.plannedPath.map(fromLatLon),
    createdAtMs: BigInt(Math.round(trip.createdAtMs)),
    updatedAtMs: BigInt(Math.round(trip.updatedAtMs)),
    endedAtMs: BigInt(Math.round(trip.endedAtMs)),
    cancelReason: trip.cancelReason,
    generation: trip.generation,
  };
}

function fromLatLon({ latDeg, lonDeg }: LatLon) {
  return { latitudeDeg: latDeg, longitudeDeg: lonDeg };
}
