import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { LiveChange, LivePosition, TrailPoint } from "../../core/live.ts";
import type { Version } from "../../core/version.ts";
import { decodeEntry, encodeEntry } from "../../eventlog/codec.ts";
import type { LogRecord } from "../../eventlog/record.ts";

/** Field numbers of bimride.state.v1.BusChange. */
const VERSION = 1;
const PREVIOUS = 2;
const POSITION = 3;
const LATE_POINTS = 4;
const TRIP_ENTRY = 5;
const DEVICE_ENTRY = 6;
const DEVICE_CONNECTED = 7;
/** Numbers per place in late_points. */
const POINT_NUMBERS = 3;

/**
 * The bytes of a bimride.state.v1.BusChange. Nearly every change is a position alone, so those fields are written as
 * the packed numbers they are on the wire; trips and devices, which are rare, go through the log's codec.
 */
export function encodeChange(change: LiveChange): Uint8Array {
  const { version, previous, position, latePoints, trip, device } = change;
  const writer = new BinaryWriter();
  writer.tag(VERSION, WireType.LengthDelimited).bytes(packedVersion(version));
  writer.tag(PREVIOUS, WireType.LengthDelimited).bytes(packedVersion(previous));
  if (position) writer.tag(POSITION, WireType.LengthDelimited).bytes(packedPosition(position));
  if (latePoints?.length) writer.tag(LATE_POINTS, WireType.LengthDelimited).bytes(packedPoints(latePoints));
  if (trip) {
    const records: LogRecord[] = [{ kind: "tripChange", receivedAtMs: 0, trip }];
    writer.tag(TRIP_ENTRY, WireType.LengthDelimited).bytes(entryOf(records));
  }
  if (device) {
    const party = { kind: "driver", id: "" } as const;
    const session = { party, sessionId: "", sessionEpoch: 0 };
    const records: LogRecord[] = [
      { kind: "deviceState", ...session, receivedAtMs: device.atMs, state: device.state },
    ];
    writer.tag(DEVICE_ENTRY, WireType.LengthDelimited).bytes(entryOf(records));
    writer.tag(DEVICE_CONNECTED, WireType.Varint).bool(device.connected);
  }
  return writer.finish();
}

/** Inverse of {@link encodeChange}; fields that this build does not know are skipped. Throws when it is damaged. */
export function decodeChange(tripId: string, body: Uint8Array): LiveChange {
  const reader = new BinaryReader(body);
  let version: Version | undefined;
  let previous: Version | undefined;
  let connected = false;
  const rest: Partial<LiveChange> = {};
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === DEVICE_CONNECTED && wireType === WireType.Varint) connected = reader.bool();
    else if (wireType !== WireType.LengthDelimited) reader.skip(wireType, field);
    else if (field === VERSION) version = toVersion(numbersOf(reader.bytes()));
    else if (field === PREVIOUS) previous = toVersion(numbersOf(reader.bytes()));
    else if (field === POSITION) rest.position = toPosition(numbersOf(reader.bytes()));
    else if (field === LATE_POINTS) rest.latePoints = toPoints(numbersOf(reader.bytes()));
    else if (field === TRIP_ENTRY) readTrip(reader.bytes(), rest);
    else if (field === DEVICE_ENTRY) readDevice(reader.bytes(), rest);
    else reader.skip(wireType, field);
  }
  if (!version || !previous) throw new RangeError("a change without its version");
  if (rest.device) rest.device.connected = connected;
  return { tripId, version, previous, ...rest };
}

function entryOf(records: LogRecord[]): Uint8Array {
  return encodeEntry({ region: "", traceparent: "", records });
}

function readTrip(entry: Uint8Array, into: Partial<LiveChange>): void {
  const [record] = decodeEntry(entry).records;
  if (record?.kind !== "tripChange") throw new RangeError("an entry without a trip");
  into.trip = record.trip;
}

function readDevice(entry: Uint8Array, into: Partial<LiveChange>): void {
  const [record] = decodeEntry(entry).records;
  if (record?.kind !== "deviceState") throw new RangeError("an entry without a device's state");
  into.device = { state: record.state, connected: false, atMs: record.receivedAtMs };
}

/** Packed doubles are little-endian, as these machines' arrays are. */
function bytesOf(numbers: Float64Array<ArrayBuffer>): Uint8Array {
  return new Uint8Array(numbers.buffer);
}

function numbersOf(bytes: Uint8Array): Float64Array {
  if (bytes.length % Float64Array.BYTES_PER_ELEMENT !== 0) throw new RangeError("numbers cut short");
  // A copy: the bytes need not lie where a Float64Array may begin.
  const numbers = new Float64Array(bytes.length / Float64Array.BYTES_PER_ELEMENT);
  new Uint8Array(numbers.buffer).set(bytes);
  return numbers;
}

function packedVersion({ generation, sequence, index }: Version): Uint8Array {
  return bytesOf(Float64Array.of(generation, sequence, index));
}

function toVersion(numbers: Float64Array): Version {
  const [generation, sequence, index] = numbers;
  if (generation === undefined || sequence === undefined || index === undefined)
    throw new RangeError("a version cut short");
  return { generation, sequence, index };
}

function packedPosition(position: LivePosition): Uint8Array {
  return bytesOf(
    Float64Array.of(
      position.latDeg,
      position.lonDeg,
      position.headingDeg,
      position.speedMps,
      position.accuracyM,
      position.capturedAtMs,
      position.receivedAtMs,
      position.loggedAtMs,
      position.processedAtMs,
    ),
  );
}

/** Numbers of a position that this build knows; newer builds may send more behind them. */
const POSITION_NUMBERS = 9;

function toPosition(numbers: Float64Array): LivePosition {
  if (numbers.length < POSITION_NUMBERS) throw new RangeError("a position cut short");
  return {
    latDeg: numbers[0]!,
    lonDeg: numbers[1]!,
    headingDeg: numbers[2]!,
    speedMps: numbers[3]!,
    accuracyM: numbers[4]!,
    capturedAtMs: numbers[5]!,
    receivedAtMs: numbers[6]!,
    loggedAtMs: numbers[7]!,
    processedAtMs: numbers[8]!,
  };
}

function packedPoints(points: readonly TrailPoint[]): Uint8Array {
  const numbers = new Float64Array(points.length * POINT_NUMBERS);
  for (const [i, { latDeg, lonDeg, capturedAtMs }] of points.entries()) {
    numbers[i * POINT_NUMBERS] = latDeg;
    numbers[i * POINT_NUMBERS + 1] = lonDeg;
    numbers[i * POINT_NUMBERS + 2] = capturedAtMs;
  }
  return bytesOf(numbers);
}

function toPoints(numbers: Float64Array): TrailPoint[] {
  const points: TrailPoint[] = [];
  for (let at = 0; at + POINT_NUMBERS <= numbers.length; at += POINT_NUMBERS)
    points.push({ latDeg: numbers[at]!, lonDeg: numbers[at + 1]!, capturedAtMs: numbers[at + 2]! });
  return points;
}
