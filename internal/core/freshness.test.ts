import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FreshnessReason } from "../../gen/bimride/tracking/v1/live_pb.ts";
import { FRESHNESS_REASONS, type FreshnessInput, freshnessOf } from "./freshness.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import type { DeviceStatus } from "./live.ts";

const T0 = 1_700_000_000_000;
const position = { capturedAtMs: T0, receivedAtMs: T0 + 300 };
const at = (ageMs: number, more: Partial<FreshnessInput> = {}) =>
  freshnessOf({ nowMs: T0 + ageMs, hasDriver: true, position, device: undefined, ...more }, DEFAULT_LIMITS);
const device = (state: DeviceStatus["state"], change: Partial<DeviceStatus> = {}): DeviceStatus => ({
  ...{ state, connected: true, lost: false, mockFix: false, atMs: T0 },
  ...change,
});
const CLOSED = { connected: false };
const LOST = { connected: false, lost: true };

describe("freshnessOf", () => {
  it("goes from live over delayed and stale to lost as the position ages, and says when the next step comes", () => {
    expect(at(0)).toEqual({ freshness: "live", reason: "none", sinceMs: T0, changesAtMs: T0 + 10_000 });
    expect(at(10_000)).toMatchObject({ freshness: "delayed", reason: "no_signal", changesAtMs: T0 + 30_000 });
    expect(at(30_000)).toMatchObject({ freshness: "stale", changesAtMs: T0 + 120_000 });
    expect(at(120_000)).toMatchObject({ freshness: "lost", changesAtMs: Infinity });
  });

  it("has nothing to judge without a driver or before the first position, and says which", () => {
    expect(at(0, { hasDriver: false })).toMatchObject({ freshness: "none", reason: "no_driver", sinceMs: 0 });
    expect(at(0, { position: undefined })).toMatchObject({ freshness: "none", reason: "no_position_yet" });
    expect(at(0, { position: undefined, device: device({ gpsEnabled: false }) }).reason).toBe("location_off");
  });

  it("says catching up while old positions keep arriving, and no signal once they stop", () => {
    const late = { capturedAtMs: T0, receivedAtMs: T0 + 60_000 };
    expect(at(60_500, { position: late })).toMatchObject({ freshness: "stale", reason: "catching_up" });
    expect(at(60_500, { position: late }).changesAtMs).toBe(T0 + 70_000);
    expect(at(70_000, { position: late })).toMatchObject({ freshness: "stale", reason: "no_signal" });
  });

  it.each([
    [device({ gpsEnabled: false }), "location_off"],
    [device({ locationPermission: "denied" }), "no_permission"],
    [device({ locationPermission: "while_in_use", background: true }), "background"],
    [device({ locationPermission: "while_in_use", background: false }), "no_signal"],
    [device({ locationPermission: "always", background: true }), "no_signal"],
    [device({ locationPermission: "always", background: true, powerSave: true }), "background"],
    [device({ powerSave: true }), "no_signal"],
    [device({ airplaneMode: true }), "airplane_mode"],
    [device({ batteryPercent: 2 }), "battery_empty"],
    [device({ batteryPercent: 2, charging: true }), "no_signal"],
    [device({ network: "none" }, CLOSED), "no_signal"],
    [device({}, CLOSED), "disconnected"],
    [device({}, LOST), "no_signal"],
    [device({ background: true, powerSave: true }, CLOSED), "disconnected"],
    [device({ background: true, powerSave: true }, LOST), "background"],
    [device({ gpsEnabled: false, airplaneMode: true, network: "none" }, LOST), "location_off"],
    [device({}), "no_signal"],
  ])("explains a silence by what the device said: %o → %s", (status, reason) => {
    expect(at(40_000, { device: status })).toMatchObject({ freshness: "stale", reason });
    expect(at(1_000, { device: status })).toMatchObject({ freshness: "live", reason: "none" });
  });

  it.each([
    [device({ mockLocation: true }), "mock_location"],
    [device({}, { mockFix: true }), "mock_location"],
    [device({ locationPermission: "approximate" }), "approximate_location"],
    [device({ locationPermission: "approximate", mockLocation: true }), "mock_location"],
    [device({ locationPermission: "always", mockLocation: false }), "none"],
  ])("says of a fresh position why it is not to be trusted: %o → %s", (status, reason) => {
    expect(at(1_000, { device: status })).toMatchObject({ freshness: "live", reason });
    expect(at(40_000, { device: status })).toMatchObject({ freshness: "stale", reason: "no_signal" });
  });

  it("has a reason for each that the contract has, in its order", () => {
    const names = Object.entries(FreshnessReason).sort(([, a], [, b]) => a - b);
    expect(FRESHNESS_REASONS).toEqual(
      names.map(([name, number]) => (number === 0 ? "none" : name.toLowerCase())),
    );
  });

  it("blames the service when the service knows that it is to blame", () => {
    expect(at(40_000, { serviceTrouble: true }).reason).toBe("service");
  });

  it("never changes before the time it gave and does change at it", () => {
    const input = fc.record({
      receivedAfterMs: fc.integer({ min: 0, max: 300_000 }),
      ageMs: fc.integer({ min: 0, max: 300_000 }),
      gpsEnabled: fc.boolean(),
      connected: fc.boolean(),
    });
    fc.assert(
      fc.property(input, fc.double({ min: 0, max: 0.999, noNaN: true }), (given, share) => {
        const more = {
          position: { capturedAtMs: T0, receivedAtMs: T0 + given.receivedAfterMs },
          device: device({ gpsEnabled: given.gpsEnabled }, { connected: given.connected }),
        };
        const nowMs = T0 + given.receivedAfterMs + given.ageMs;
        const now = at(nowMs - T0, more);
        if (now.changesAtMs === Infinity) return;
        expect(now.changesAtMs).toBeGreaterThan(nowMs);
        const before = at(Math.floor(nowMs + share * (now.changesAtMs - 1 - nowMs)) - T0, more);
        expect([before.freshness, before.reason]).toEqual([now.freshness, now.reason]);
        const then = at(now.changesAtMs - T0, more);
        expect([then.freshness, then.reason]).not.toEqual([now.freshness, now.reason]);
      }),
    );
  });
});
