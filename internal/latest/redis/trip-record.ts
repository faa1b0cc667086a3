import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type TripState, TripStateSchema } from "../../../gen/bimride/state/v1/state_pb.ts";
import type { Party } from "../../core/fix.ts";
import { fromE7, toE7 } from "../../core/geo.ts";
import type { DeviceStatus, LivePosition, TrailPoint, TripLive } from "../../core/live.ts";
import type { Trip } from "../../core/trip.ts";
import { decodeEntry, encodeEntry } from "../../eventlog/codec.ts";

/** The live state as bytes (TripState of state.proto) without the trip itself, which changes seldom and may be long. */
export function encodeLive(live: TripLive): Buffer {
  const { position, device } = live;
  const message = create(TripStateSchema, {
    generation: live.version.generation,
    sequence: BigInt(live.version.sequence),
    index: live.version.index,
    position: position && {
      ...position,
      capturedAtMs: int64(position.capturedAtMs),
      receivedAtMs: int64(position.receivedAtMs),
      loggedAtMs: int64(position.loggedAtMs),
      processedAtMs: int64(position.processedAtMs),
    },
    trail: encodeTrail(live.trail),
    device: device && encodeDevice(live.trip.driverId, device),
    dropAtMs: int64(live.dropAtMs),
  });
  return bufferOf(toBinary(TripStateSchema, message));
}

/** The trip as in the log: an entry with one TripChange record. */
export function encodeTrip(trip: Trip): Buffer {
  const record = { kind: "tripChange" as const, receivedAtMs: trip.updatedAtMs, trip };
  return bufferOf(encodeEntry({ region: trip.region, traceparent: "", records: [record] }));
}

/** Inverse of {@link encodeLive} and {@link encodeTrip}. */
export function decodeTripLive(liveBytes: Uint8Array, tripBytes: Uint8Array): TripLive {
  const message = fromBinary(TripStateSchema, liveBytes);
  const record = decodeEntry(tripBytes).records[0];
  if (record?.kind !== "tripChange") throw new RangeError("no trip where one belongs");
  return {
    tripId: record.trip.tripId,
    version: {
      generation: message.generation,
      sequence: Number(message.sequence),
      index: message.index,
    },
    trip: record.trip,
    position: message.position && decodePosition(message.position),
    trail: message.trail ? decodeTrail(message.trail) : [],
    device: message.device && decodeDevice(message.device),
    dropAtMs: Number(message.dropAtMs),
  };
}

function decodePosition(message: NonNullable<TripState["position"]>): LivePosition {
  return {
    latDeg: message.latDeg,
    lonDeg: message.lonDeg,
    headingDeg: message.headingDeg,
    speedMps: message.speedMps,
    accuracyM: message.accuracyM,
    capturedAtMs: Number(message.capturedAtMs),
    receivedAtMs: Number(message.receivedAtMs),
    loggedAtMs: Number(message.loggedAtMs),
    processedAtMs: Number(message.processedAtMs),
  };
}

/** Numbers per point: step of time, latitude, longitude. */
const POINT_NUMBERS = 3;

function encodeTrail(points: readonly TrailPoint[]) {
  const firstAtMs = points[0]?.capturedAtMs ?? 0;
  const numbers = new Int32Array(points.length * POINT_NUMBERS);
  let before = firstAtMs;
  for (const [i, { capturedAtMs, latDeg, lonDeg }] of points.entries()) {
    numbers[i * POINT_NUMBERS] = capturedAtMs - before;
    numbers[i * POINT_NUMBERS + 1] = toE7(latDeg);
    numbers[i * POINT_NUMBERS + 2] = toE7(lonDeg);
    before = capturedAtMs;
  }
  return { firstAtMs: int64(firstAtMs), points: new Uint8Array(numbers.buffer) };
}

function decodeTrail({ firstAtMs, points }: NonNullable<TripState["trail"]>): TrailPoint[] {
  // Copied, because the bytes may lie at an odd place of a larger buffer (and a Buffer's slice would not copy).
  const numbers = new Int32Array(new Uint8Array(points).buffer);
  const trail: TrailPoint[] = [];
  let atMs = Number(firstAtMs);
  for (let i = 0; i < numbers.length; i += POINT_NUMBERS) {
    atMs += numbers[i]!;
    trail.push({
      latDeg: fromE7(numbers[i + 1]!),
      lonDeg: fromE7(numbers[i + 2]!),
      capturedAtMs: atMs,
    });
  }
  return trail;
}

/** A device's state as the log has it, so that there is one mapping of its fields. */
function encodeDevice(driverId: string, { state, connected, atMs }: DeviceStatus) {
  const party: Party = { kind: "driver", id: driverId };
  const record = {
    kind: "deviceState" as const,
    party,
    sessionId: "",
    sessionEpoch: 0,
    receivedAtMs: atMs,
    state,
  };
  return { recordEntry: encodeEntry({ region: "", traceparent: "", records: [record] }), connected };
}

function decodeDevice({ recordEntry, connected }: NonNullable<TripState["device"]>): DeviceStatus {
  const record = decodeEntry(recordEntry).records[0];
  if (record?.kind !== "deviceState") throw new RangeError("no device state where one belongs");
  return { state: record.state, connected, atMs: record.receivedAtMs };
}

function int64(value: number): bigint {
  return BigInt(Math.round(value));
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
