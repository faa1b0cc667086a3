import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EntrySchema } from "../../gen/bimride/log/v1/record_pb.ts";
import { BimrideError } from "../core/errors.ts";
import { FIX_SOURCES, type Fix, PARTY_KINDS } from "../core/fix.ts";
import { TRIP_STATUSES, WAYPOINT_KINDS } from "../core/trip.ts";
import { decodeEntry, encodeEntry } from "./codec.ts";
import type { EntryContent, LogRecord } from "./record.ts";

const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const timeMs = fc.integer({ min: 0, max: 4_102_444_800_000 });
const party = fc.record({ kind: fc.constantFrom(...PARTY_KINDS), id });
const degrees = (max: number) => fc.double({ min: -max, max, noNaN: true });
const orNaN = (min: number, max: number) =>
  fc.oneof({ weight: 3, arbitrary: fc.double({ min, max, noNaN: true }) }, fc.constant(Number.NaN));

const fix = (receivedAtMs: number, clockOffsetMs: number): fc.Arbitrary<Fix> =>
  fc.record({
    seq: fc.nat({ max: 0xffff_ffff }),
    capturedAtMs: fc
      .integer({ min: -60_000, max: 172_800_000 })
      .map((age) => receivedAtMs - clockOffsetMs - age),
    latDeg: degrees(90),
    lonDeg: degrees(180),
    accuracyM: orNaN(0, 100_000),
    speedMps: orNaN(0, 150),
    headingDeg: orNaN(0, 360),
    altitudeM: orNaN(-1_000, 20_000),
    source: fc.constantFrom(...FIX_SOURCES),
    mock: fc.boolean(),
  });
const fixBatch = fc
  .tuple(timeMs, fc.integer({ min: -1e11, max: 1e11 }))
  .chain(([receivedAtMs, clockOffsetMs]) =>
    fc.record({
      kind: fc.constant("fixBatch" as const),
      party,
      sessionId: id,
      sessionEpoch: timeMs,
      receivedAtMs: fc.constant(receivedAtMs),
      clockOffsetMs: fc.constant(clockOffsetMs),
      fixes: fc.array(fix(receivedAtMs, clockOffsetMs), { maxLength: 40 }),
    }),
  );
const deviceState = fc.record(
  {
    batteryPercent: fc.nat({ max: 100 }),
    charging: fc.boolean(),
    network: fc.constantFrom("none" as const, "cellular" as const, "wifi" as const),
    locationPermission: fc.constantFrom(
      "denied" as const,
      "while_in_use" as const,
      "always" as const,
      "approximate" as const,
    ),
    gpsEnabled: fc.boolean(),
    background: fc.boolean(),
    airplaneMode: fc.boolean(),
    powerSave: fc.boolean(),
    mockLocation: fc.boolean(),
  },
  { requiredKeys: [] },
);
const point = fc.record({ latDeg: degrees(90), lonDeg: degrees(180) });
const trip = fc.record({
  tripId: fc.constant("eu1-01arz3ndektsv4rrffq69g5fav"),
  region: fc.constant("eu1"),
  type: fc.constantFrom("exclusive" as const, "shared" as const),
  version: fc.nat(),
  generation: fc.nat(),
  status: fc.constantFrom(...TRIP_STATUSES),
  statusSource: fc.constantFrom("explicit" as const, "detected" as const),
  statusAtMs: timeMs,
  waypointIndex: fc.nat({ max: 20 }),
  riderIds: fc.array(id, { maxLength: 8 }),
  sharingRiderIds: fc.array(id, { maxLength: 8 }),
  driverId: fc.oneof(id, fc.constant("")),
  waypoints: fc.array(
    fc.record({ kind: fc.constantFrom(...WAYPOINT_KINDS), position: point, riderId: id, label: fc.string() }),
    { maxLength: 5 },
  ),
  plannedPath: fc.array(point, { maxLength: 20 }),
  createdAtMs: timeMs,
  updatedAtMs: timeMs,
  assignments: fc.array(fc.record({ driverId: id, fromMs: timeMs, toMs: timeMs }), { maxLength: 3 }),
  endedAtMs: timeMs,
  cancelReason: fc.string({ unit: "grapheme", maxLength: 200 }),
});
const session = { party, sessionId: id, sessionEpoch: timeMs, receivedAtMs: timeMs };
const record: fc.Arbitrary<LogRecord> = fc.oneof(
  fixBatch,
  fc.record({
    kind: fc.constant("sessionOpened" as const),
    ...session,
    deviceId: id,
    appVersion: fc.string({ unit: "grapheme" }),
    transport: fc.constantFrom("grpc", "websocket", "http", "mqtt"),
    closed: fc.boolean(),
    lost: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("deviceState" as const), ...session, state: deviceState }),
  fc.record({ kind: fc.constant("tripChange" as const), receivedAtMs: timeMs, trip }),
  fc.record({
    kind: fc.constant("vehicleChange" as const),
    receivedAtMs: timeMs,
    driverId: id,
    attributes: fc.dictionary(id, fc.string(), { noNullPrototype: true }),
  }),
  fc.record({ kind: fc.constant("erased" as const), receivedAtMs: timeMs, party }),
  fc.record({ kind: fc.constant("tick" as const), receivedAtMs: timeMs }),
);
const content: fc.Arbitrary<EntryContent> = fc.record({
  region: fc.stringMatching(/^[a-z0-9]{1,16}$/),
  traceparent: fc.constantFrom("", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
  records: fc.array(record, { maxLength: 6 }),
});

/** The value at the documented resolution; without a negative zero. */
const at = (value: number, perUnit: number) => (Math.round(value * perUnit) + 0) / perUnit + 0;

function atResolution(entry: EntryContent): EntryContent {
  const records = entry.records.map((one) =>
    one.kind !== "fixBatch"
      ? one
      : {
          ...one,
          fixes: one.fixes.map((f) => ({
            ...f,
            latDeg: at(f.latDeg, 1e7),
            lonDeg: at(f.lonDeg, 1e7),
            accuracyM: at(f.accuracyM, 100),
            speedMps: at(f.speedMps, 100),
            headingDeg: at(f.headingDeg, 100),
            altitudeM: at(f.altitudeM, 10),
          })),
        },
  );
  return { ...entry, records };
}

describe("the codec of log entries", () => {
  test("decode gives back what was encoded, at the documented resolutions", () => {
    fc.assert(
      fc.property(content, (entry) => {
        expect(decodeEntry(encodeEntry(entry))).toEqual(atResolution(entry));
      }),
      { numRuns: 300 },
    );
  });

  test("what was decoded once encodes to the same bytes again", () => {
    fc.assert(
      fc.property(content, (entry) => {
        const bytes = encodeEntry(entry);
        expect(encodeEntry(decodeEntry(bytes))).toEqual(bytes);
      }),
    );
  });

  test("the hand-written batch of fixes is byte for byte what the generated code writes and reads", () => {
    fc.assert(
      fc.property(content, (entry) => {
        const bytes = encodeEntry(entry);
        const generated = fromBinary(EntrySchema, bytes);
        expect(generated.$unknown).toBeUndefined();
        expect(generated.schemaVersion).toBe(1);
        expect(toBinary(EntrySchema, generated)).toEqual(bytes);
        expect(decodeEntry(toBinary(EntrySchema, generated))).toEqual(decodeEntry(bytes));
      }),
    );
  });

  test("a newer schema version is refused by name", () => {
    const bytes = toBinary(EntrySchema, create(EntrySchema, { schemaVersion: 2, region: "eu1" }));
    expect(() => decodeEntry(bytes)).toThrow(
      expect.objectContaining({ code: "MESSAGE_INVALID", message: expect.stringContaining("version 2") }),
    );
  });

  test("record kinds and fields of the future are skipped, the others are read", () => {
    const tick = encodeEntry({
      region: "eu1",
      traceparent: "",
      records: [{ kind: "tick", receivedAtMs: 7 }],
    });
    const writer = new BinaryWriter().raw(tick).tag(99, WireType.Varint).uint32(1);
    writer.tag(4, WireType.LengthDelimited).fork().tag(77, WireType.LengthDelimited).string("new").join();
    expect(decodeEntry(writer.finish()).records).toEqual([{ kind: "tick", receivedAtMs: 7 }]);
  });

  test("damaged bytes throw MESSAGE_INVALID and nothing else", () => {
    const damaged = fc.tuple(content, fc.nat(), fc.nat({ max: 255 })).map(([entry, where, byte]) => {
      const bytes = encodeEntry(entry);
      bytes[where % bytes.length] = byte;
      return bytes.subarray(0, byte % 2 ? bytes.length : where % bytes.length);
    });
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        try {
          decodeEntry(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(BimrideError);
          expect((error as BimrideError).code).toBe("MESSAGE_INVALID");
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
