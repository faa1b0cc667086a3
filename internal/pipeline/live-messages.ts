import type {
  DeviceStatus as DeviceStatusMessage,
  LivePlace,
  LiveTrail,
} from "../../gen/bimride/state/v1/state_pb.ts";
import type { Party } from "../core/fix.ts";
import { fromE7, toE7 } from "../core/geo.ts";
import type { DeviceStatus, LivePosition, TrailPoint } from "../core/live.ts";
import type { Trail } from "../core/trail.ts";
import { decodeEntry, encodeEntry } from "../eventlog/codec.ts";
import { int32sOf, int64 } from "./snapshot-columns.ts";

/** The position as a message, times in whole milliseconds. */
export function toPlaceMessage(position: LivePosition) {
  return {
    ...position,
    capturedAtMs: int64(position.capturedAtMs),
    receivedAtMs: int64(position.receivedAtMs),
    loggedAtMs: int64(position.loggedAtMs),
    processedAtMs: int64(position.processedAtMs),
  };
}

/** Inverse of {@link toPlaceMessage}. */
export function fromPlaceMessage(message: LivePlace): LivePosition {
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

/** The trail as a message: the first time, then three 32-bit integers per point, places in 1e-7 degrees. */
export function toLiveTrail(trail: Trail) {
  const firstAtMs = trail.length > 0 ? trail.capturedAtMs(0) : 0;
  const numbers = new Int32Array(trail.length * POINT_NUMBERS);
  let before = firstAtMs;
  for (let i = 0; i < trail.length; i++) {
    const capturedAtMs = trail.capturedAtMs(i);
    numbers[i * POINT_NUMBERS] = capturedAtMs - before;
    numbers[i * POINT_NUMBERS + 1] = toE7(trail.latDeg(i));
    numbers[i * POINT_NUMBERS + 2] = toE7(trail.lonDeg(i));
    before = capturedAtMs;
  }
  return { firstAtMs: int64(firstAtMs), points: new Uint8Array(numbers.buffer) };
}

/** Inverse of {@link toLiveTrail}; the bytes may lie anywhere in a larger buffer. */
export function fromLiveTrail(message: LiveTrail): TrailPoint[] {
  const numbers = int32sOf(message.points);
  let capturedAtMs = Number(message.firstAtMs);
  return Array.from({ length: numbers.length / POINT_NUMBERS }, (_, i) => {
    capturedAtMs += numbers[i * POINT_NUMBERS]!;
    const [latE7, lonE7] = [numbers[i * POINT_NUMBERS + 1]!, numbers[i * POINT_NUMBERS + 2]!];
    return { latDeg: fromE7(latE7), lonDeg: fromE7(lonE7), capturedAtMs };
  });
}

/** Entries of devices' states, which change seldom and are written with every place. */
const deviceEntries = new WeakMap<DeviceStatus, Uint8Array>();

/** A device's state as the log has it, so that there is one mapping of its fields. */
export function toDeviceMessage(party: Party, device: DeviceStatus) {
  let recordEntry = deviceEntries.get(device);
  if (!recordEntry) {
    const { state, atMs: receivedAtMs } = device;
    const session = { sessionId: "", sessionEpoch: 0 };
    const record = { kind: "deviceState" as const, party, ...session, receivedAtMs, state };
    recordEntry = encodeEntry({ region: "", traceparent: "", records: [record] });
    deviceEntries.set(device, recordEntry);
  }
  return { recordEntry, connected: device.connected, lost: device.lost, mockFix: device.mockFix };
}

/** Inverse of {@link toDeviceMessage}. */
export function fromDeviceMessage(message: DeviceStatusMessage): DeviceStatus {
  const { recordEntry, connected, lost, mockFix } = message;
  const record = decodeEntry(recordEntry).records[0];
  if (record?.kind !== "deviceState") throw new RangeError("no device state where one belongs");
  return { state: record.state, connected, lost, mockFix, atMs: record.receivedAtMs };
}
