import { fromBinary } from "@bufbuild/protobuf";
import { type BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { TripStateSchema } from "../../../gen/bimride/state/v1/state_pb.ts";
import { toE7 } from "../../core/geo.ts";
import type { LivePosition, TripLive } from "../../core/live.ts";
import type { PackedLive } from "../../core/packed-live.ts";
import type { Trail } from "../../core/trail.ts";
import type { Trip } from "../../core/trip.ts";
import { decodeEntry, encodeEntry, encoder } from "../../eventlog/codec.ts";
import {
  fromDeviceMessage,
  fromLiveTrail,
  fromPlaceMessage,
  toDeviceMessage,
} from "../../pipeline/live-messages.ts";

type DeviceMessage = ReturnType<typeof toDeviceMessage>;

/** Field numbers of bimride.state.v1.TripState, as far as a live state has them. */
const GENERATION = 2;
const SEQUENCE = 3;
const INDEX = 4;
const POSITION = 5;
const TRAIL = 6;
const DEVICE = 7;
const DROP_AT_MS = 9;
/** Fields of bimride.state.v1.LivePlace by number, from 1. */
const PLACE_DOUBLES = ["latDeg", "lonDeg", "headingDeg", "speedMps", "accuracyM"] as const;
const PLACE_TIMES = ["capturedAtMs", "receivedAtMs", "loggedAtMs", "processedAtMs"] as const;
/** Field numbers of bimride.state.v1.LiveTrail and DeviceStatus. */
const FIRST_AT_MS = 1;
const POINTS = 2;
const RECORD_ENTRY = 1;
const CONNECTED = 2;
const LOST = 3;
const MOCK_FIX = 4;

/**
 * The live state as bytes (TripState of state.proto) without the trip itself, which changes seldom and may be long. By
 * hand, as it is written with every fix; a test holds it equal to the generated code.
 */
export function encodeLive(packed: PackedLive): Buffer {
  return bufferOf(encodeLiveBytes(packed));
}

const encodeLiveBytes = encoder<PackedLive>((writer, { live, trail }) => {
  const { version, position, device, trip } = live;
  writeInteger(writer, GENERATION, version.generation);
  writeInteger(writer, SEQUENCE, version.sequence);
  writeInteger(writer, INDEX, version.index);
  if (position) writePlace(writer, position);
  writeTrail(writer, trail);
  if (device) writeDevice(writer, toDeviceMessage({ kind: "driver", id: trip.driverId }, device));
  writeInteger(writer, DROP_AT_MS, live.dropAtMs);
});

/** Whole numbers of any type look alike on the wire when they are not negative. */
function writeInteger(writer: BinaryWriter, field: number, value: number): void {
  const whole = Math.round(value);
  if (whole !== 0) writer.tag(field, WireType.Varint).int64(whole);
}

function writePlace(writer: BinaryWriter, position: LivePosition): void {
  writer.tag(POSITION, WireType.LengthDelimited).fork();
  for (const [i, name] of PLACE_DOUBLES.entries())
    if (!Object.is(position[name], 0)) writer.tag(i + 1, WireType.Bit64).double(position[name]);
  for (const [i, name] of PLACE_TIMES.entries())
    writeInteger(writer, PLACE_DOUBLES.length + i + 1, position[name]);
  writer.join();
}

/** What does not fit (a step of more than 24 days) wraps, as in the array of toLiveTrail: nothing may stop for it. */
function writeTrail(writer: BinaryWriter, trail: Trail): void {
  writer.tag(TRAIL, WireType.LengthDelimited).fork();
  if (trail.length > 0) {
    let before = trail.capturedAtMs(0);
    writeInteger(writer, FIRST_AT_MS, before);
    writer.tag(POINTS, WireType.LengthDelimited).fork();
    for (let i = 0; i < trail.length; i++) {
      const atMs = trail.capturedAtMs(i);
      writer
        .sfixed32((atMs - before) | 0)
        .sfixed32(toE7(trail.latDeg(i)) | 0)
        .sfixed32(toE7(trail.lonDeg(i)) | 0);
      before = atMs;
    }
    writer.join();
  }
  writer.join();
}

function writeDevice(writer: BinaryWriter, message: DeviceMessage): void {
  const { recordEntry, connected, lost, mockFix } = message;
  writer.tag(DEVICE, WireType.LengthDelimited).fork();
  writer.tag(RECORD_ENTRY, WireType.LengthDelimited).bytes(recordEntry);
  if (connected) writer.tag(CONNECTED, WireType.Varint).bool(connected);
  if (lost) writer.tag(LOST, WireType.Varint).bool(lost);
  if (mockFix) writer.tag(MOCK_FIX, WireType.Varint).bool(mockFix);
  writer.join();
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
    position: message.position && fromPlaceMessage(message.position),
    trail: message.trail ? fromLiveTrail(message.trail) : [],
    device: message.device && fromDeviceMessage(message.device),
    dropAtMs: Number(message.dropAtMs),
  };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
