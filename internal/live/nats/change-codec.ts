import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { DeviceStatus, LiveChange, LivePosition, TrailPoint } from "../../core/live.ts";
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
const DEVICE_LOST = 8;
const DEVICE_MOCK_FIX = 9;
/** Numbers per version, position, and place in late_points. */
const VERSION_NUMBERS = 3;
const POSITION_NUMBERS = 9;
const POINT_NUMBERS = 3;
const BYTES_PER_NUMBER = 8;
const NO_FLAGS: Omit<DeviceStatus, "state" | "atMs"> = Object.freeze({
  connected: false,
  lost: false,
  mockFix: false,
});
/** A tag and a length of at most 127 bytes. */
const HEAD_BYTES = 2;

/**
 * The bytes of a bimride.state.v1.BusChange. Nearly every change is a position alone: versions and position are written
 * straight to where they lie on the wire; the rest, which is rare, goes through the writer and the log's codec.
 */
export function encodeChange(change: LiveChange): Uint8Array {
  const { version, previous, position } = change;
  const rest = encodeRest(change);
  const versionBytes = HEAD_BYTES + VERSION_NUMBERS * BYTES_PER_NUMBER;
  const positionBytes = position ? HEAD_BYTES + POSITION_NUMBERS * BYTES_PER_NUMBER : 0;
  const bytes = new Uint8Array(2 * versionBytes + positionBytes + (rest?.length ?? 0));
  const view = new DataView(bytes.buffer);
  putVersion(view, putHead(bytes, 0, VERSION, VERSION_NUMBERS), version);
  putVersion(view, putHead(bytes, versionBytes, PREVIOUS, VERSION_NUMBERS), previous);
  if (position) putPosition(view, putHead(bytes, 2 * versionBytes, POSITION, POSITION_NUMBERS), position);
  if (rest) bytes.set(rest, 2 * versionBytes + positionBytes);
  return bytes;
}

function encodeRest({ latePoints, trip, device }: LiveChange): Uint8Array | undefined {
  if (!latePoints?.length && !trip && !device) return undefined;
  const writer = new BinaryWriter();
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
    if (device.lost) writer.tag(DEVICE_LOST, WireType.Varint).bool(true);
    if (device.mockFix) writer.tag(DEVICE_MOCK_FIX, WireType.Varint).bool(true);
  }
  return writer.finish();
}

/** Writes tag and length of packed numbers; gives where they begin. */
function putHead(bytes: Uint8Array, at: number, field: number, numbers: number): number {
  bytes[at] = (field << 3) | WireType.LengthDelimited;
  bytes[at + 1] = numbers * BYTES_PER_NUMBER;
  return at + HEAD_BYTES;
}

function putVersion(view: DataView, at: number, { generation, sequence, index }: Version): void {
  view.setFloat64(at, generation, true);
  view.setFloat64(at + 8, sequence, true);
  view.setFloat64(at + 16, index, true);
}

function putPosition(view: DataView, at: number, position: LivePosition): void {
  view.setFloat64(at, position.latDeg, true);
  view.setFloat64(at + 8, position.lonDeg, true);
  view.setFloat64(at + 16, position.headingDeg, true);
  view.setFloat64(at + 24, position.speedMps, true);
  view.setFloat64(at + 32, position.accuracyM, true);
  view.setFloat64(at + 40, position.capturedAtMs, true);
  view.setFloat64(at + 48, position.receivedAtMs, true);
  view.setFloat64(at + 56, position.loggedAtMs, true);
  view.setFloat64(at + 64, position.processedAtMs, true);
}

/** Inverse of {@link encodeChange}; fields that this build does not know are skipped. Throws when it is damaged. */
export function decodeChange(tripId: string, body: Uint8Array): LiveChange {
  const reader = new BinaryReader(body);
  let version: Version | undefined;
  let previous: Version | undefined;
  const flags = { ...NO_FLAGS };
  const rest: Partial<LiveChange> = {};
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === DEVICE_CONNECTED && wireType === WireType.Varint) flags.connected = reader.bool();
    else if (field === DEVICE_LOST && wireType === WireType.Varint) flags.lost = reader.bool();
    else if (field === DEVICE_MOCK_FIX && wireType === WireType.Varint) flags.mockFix = reader.bool();
    else if (wireType !== WireType.LengthDelimited) reader.skip(wireType, field);
    else if (field === VERSION) version = toVersion(viewOf(reader.bytes()));
    else if (field === PREVIOUS) previous = toVersion(viewOf(reader.bytes()));
    else if (field === POSITION) rest.position = toPosition(viewOf(reader.bytes()));
    else if (field === LATE_POINTS) rest.latePoints = toPoints(viewOf(reader.bytes()));
    else if (field === TRIP_ENTRY) readTrip(reader.bytes(), rest);
    else if (field === DEVICE_ENTRY) readDevice(reader.bytes(), rest);
    else reader.skip(wireType, field);
  }
  if (!version || !previous) throw new RangeError("a change without its version");
  if (rest.device) Object.assign(rest.device, flags);
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
  into.device = { state: record.state, ...NO_FLAGS, atMs: record.receivedAtMs };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Throws a RangeError when it is cut short, as `toPosition` does. */
function toVersion(view: DataView): Version {
  return {
    generation: view.getFloat64(0, true),
    sequence: view.getFloat64(8, true),
    index: view.getFloat64(16, true),
  };
}

/** Newer builds may send more numbers behind these. */
function toPosition(view: DataView): LivePosition {
  return {
    latDeg: view.getFloat64(0, true),
    lonDeg: view.getFloat64(8, true),
    headingDeg: view.getFloat64(16, true),
    speedMps: view.getFloat64(24, true),
    accuracyM: view.getFloat64(32, true),
    capturedAtMs: view.getFloat64(40, true),
    receivedAtMs: view.getFloat64(48, true),
    loggedAtMs: view.getFloat64(56, true),
    processedAtMs: view.getFloat64(64, true),
  };
}

function packedPoints(points: readonly TrailPoint[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(points.length * POINT_NUMBERS * BYTES_PER_NUMBER));
  let at = 0;
  for (const { latDeg, lonDeg, capturedAtMs } of points)
    for (const number of [latDeg, lonDeg, capturedAtMs]) {
      view.setFloat64(at, number, true);
      at += BYTES_PER_NUMBER;
    }
  return new Uint8Array(view.buffer);
}

function toPoints(view: DataView): TrailPoint[] {
  const points: TrailPoint[] = [];
  for (let at = 0; at < view.byteLength; at += POINT_NUMBERS * BYTES_PER_NUMBER)
    points.push({
      latDeg: view.getFloat64(at, true),
      lonDeg: view.getFloat64(at + 8, true),
      capturedAtMs: view.getFloat64(at + 16, true),
    });
  return points;
}
