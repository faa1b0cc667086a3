import fc from "fast-check";
import { expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import type { FixInput } from "./messages.ts";
import { faultOf, helloFaultOf, timeFaultOf, toFix } from "./validate.ts";

const good: FixInput = {
  seq: 0,
  capturedAtMs: 0,
  latDeg: 57.7,
  lonDeg: 11.9,
  accuracyM: undefined,
  speedMps: undefined,
  headingDeg: undefined,
  altitudeM: undefined,
  source: "gnss",
  mock: false,
};
const ranged: [keyof FixInput, number, number, string][] = [
  ["latDeg", -90, 90, "POSITION_INVALID"],
  ["lonDeg", -180, 180, "POSITION_INVALID"],
  ["accuracyM", 0, 100_000, "ACCURACY_INVALID"],
  ["speedMps", 0, 150, "SPEED_INVALID"],
  ["headingDeg", 0, 360, "HEADING_INVALID"],
  ["altitudeM", -1_000, 20_000, "ALTITUDE_INVALID"],
];

test.each(ranged)("%s is good from %d to %d, borders included, and %s beyond", (name, low, high, reason) => {
  for (const value of [low, high, (low + high) / 2 + 1])
    expect(faultOf({ ...good, [name]: value }), `${value}`).toBeUndefined();
  const { NaN: nan, POSITIVE_INFINITY, NEGATIVE_INFINITY } = Number;
  for (const value of [low - 0.001, high + 0.001, nan, POSITIVE_INFINITY, NEGATIVE_INFINITY])
    expect(faultOf({ ...good, [name]: value })?.reason, `${value}`).toBe(reason);
});

test.each([-1, 0.5, 2 ** 32, Number.NaN, Number.POSITIVE_INFINITY])("seq %d is no sequence number", (seq) => {
  expect(faultOf({ ...good, seq })).toEqual({ reason: "SEQ_INVALID", field: "seq" });
});

test("half a position is none, and neither is 0,0; the equator is a place", () => {
  expect(faultOf({ ...good, lonDeg: undefined })).toEqual({ reason: "POSITION_INVALID", field: "position" });
  expect(faultOf({ ...good, latDeg: 0, lonDeg: -0 })?.reason).toBe("POSITION_NULL_ISLAND");
  expect(faultOf({ ...good, latDeg: 0 })).toBeUndefined();
});

test("a fix may be 48 h old and 60 s ahead, and no more", () => {
  const { maxFixAgeMs, maxFixAheadMs } = DEFAULT_LIMITS;
  expect(timeFaultOf(maxFixAgeMs, DEFAULT_LIMITS)).toBeUndefined();
  expect(timeFaultOf(maxFixAgeMs + 1, DEFAULT_LIMITS)?.reason).toBe("CAPTURED_TOO_OLD");
  expect(timeFaultOf(-maxFixAheadMs, DEFAULT_LIMITS)).toBeUndefined();
  expect(timeFaultOf(-maxFixAheadMs - 1, DEFAULT_LIMITS)?.reason).toBe("CAPTURED_IN_FUTURE");
  expect(timeFaultOf(Number.NaN, DEFAULT_LIMITS)?.reason).toBe("CAPTURED_TOO_OLD");
});

test("whatever numbers a fix holds, it is refused by name or becomes a fix without infinities", () => {
  const number = fc.option(fc.double(), { nil: undefined });
  const [latDeg, lonDeg, accuracyM, speedMps, headingDeg, altitudeM] = Array(6).fill(number);
  const seq = fc.oneof(fc.double(), fc.nat());
  const input = fc.record({ latDeg, lonDeg, accuracyM, speedMps, headingDeg, altitudeM, seq });
  fc.assert(
    fc.property(input, (numbers) => {
      const fix = { ...good, ...numbers } as FixInput;
      if (faultOf(fix)) return;
      const made = toFix(fix);
      expect(Math.abs(made.latDeg) <= 90 && Math.abs(made.lonDeg) <= 180).toBe(true);
      for (const value of [made.accuracyM, made.speedMps, made.headingDeg, made.altitudeM])
        expect(Math.abs(value)).not.toBe(Number.POSITIVE_INFINITY);
    }),
    { seed: 1, numRuns: 2_000 },
  );
});

test("a hello is refused for its session id, for long names and for an impossible battery, with the field", () => {
  const hello = {
    ...{ sessionId: "session-1", party: undefined, deviceId: "", appVersion: "", deviceTimeMs: 0 },
    ...{ lastRegion: "", position: undefined, deviceState: undefined },
  };
  expect(helloFaultOf(hello)).toBeUndefined();
  expect(helloFaultOf({ ...hello, sessionId: "a/b-12345" })).toMatchObject({ code: "SESSION_ID_INVALID" });
  const long = "x".repeat(65);
  expect(helloFaultOf({ ...hello, appVersion: long })).toMatchObject({
    ...{ code: "FIELD_INVALID", field: "app_version" },
  });
  expect(helloFaultOf({ ...hello, deviceState: { batteryPercent: 101 } })).toMatchObject({
    ...{ code: "FIELD_INVALID", field: "device_state.battery_percent" },
  });
});
