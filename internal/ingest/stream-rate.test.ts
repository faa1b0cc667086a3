import { beforeEach, describe, expect, it, vi } from "vitest";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import type { Trip } from "../core/trip.ts";
import { tripOf } from "../live/kit.ts";
import type { FixInput } from "./messages.ts";
import type { LoadLevel } from "./rate-input.ts";
import { type KnownTrip, rateOfCall, StreamRate } from "./stream-rate.ts";

const TRIP = tripOf("se1-0000000000000000000000000a", 1, "ENROUTE_TO_PICKUP");
const { watchedForMs, slowerRateAfterMs } = DEFAULT_LIMITS;

/** A fix so many metres north of the pickup. */
const fixAt = (metres: number, atMs: number, change: Partial<FixInput> = {}): FixInput => ({
  ...{ seq: 0, capturedAtMs: atMs, latDeg: 57.7 + metres / 111_195, lonDeg: 11.97, accuracyM: 5 },
  ...{ speedMps: 10, headingDeg: 180, altitudeM: undefined, source: "gnss", mock: false, ...change },
});

describe("StreamRate", () => {
  let trip: KnownTrip;
  let load: { level: LoadLevel };
  const told = vi.fn();
  let rate: StreamRate;
  beforeEach(() => {
    trip = TRIP;
    load = { level: 0 };
    told.mockClear();
    rate = new StreamRate({ limits: DEFAULT_LIMITS, load, events: { wantedRate: told } }, () => trip);
  });
  /** The reasons told while time passes second by second. */
  const pass = (fromMs: number, toMs: number, each: (nowMs: number) => void = () => {}) => {
    const reasons: { atMs: number; reason: string }[] = [];
    for (let nowMs = fromMs; nowMs <= toMs; nowMs += 1_000) {
      each(nowMs);
      const changed = rate.tick(nowMs);
      if (changed) reasons.push({ atMs: nowMs, reason: changed.reason });
    }
    return reasons;
  };

  it("takes a trip for watched until it can have heard of viewers, then for unwatched", () => {
    expect(rate.begin("driver", 0)).toMatchObject({ reason: "ON_TRIP" });
    expect(pass(1_000, 30_000)).toEqual([{ atMs: 16_000, reason: "ON_TRIP_UNWATCHED" }]);
    expect(told.mock.calls.flat()).toEqual(["ON_TRIP", "ON_TRIP_UNWATCHED"]);
  });

  it("sends more at once when somebody watches, and less when nothing was heard of them any more", () => {
    rate.begin("driver", 0);
    pass(1_000, 30_000);
    expect(rate.watched(TRIP.tripId, watchedForMs, 30_500)).toMatchObject({ reason: "ON_TRIP" });
    expect(rate.watched(TRIP.tripId, watchedForMs, 38_500)).toBeUndefined();
    const lapsedMs = 39_000 + watchedForMs;
    expect(pass(31_000, 100_000)).toEqual([
      { atMs: lapsedMs + slowerRateAfterMs, reason: "ON_TRIP_UNWATCHED" },
    ]);
  });

  it("does not care who watches another trip, nor for how long an edge would like it to count", () => {
    rate.begin("driver", 0);
    pass(1_000, 30_000);
    expect(rate.watched("se1-0000000000000000000000000b", watchedForMs, 30_000)).toBeUndefined();
    rate.watched(TRIP.tripId, 10 * watchedForMs, 40_000);
    expect(pass(41_000, 41_000 + watchedForMs + slowerRateAfterMs)).toHaveLength(1);
  });

  it("sends more near the pickup and while turning, by the fixes as they come", () => {
    rate.begin("driver", 0);
    expect(rate.fixes([fixAt(2_000, 0)], 100)).toBeUndefined();
    expect(rate.fixes([fixAt(1_960, 4_000, { headingDeg: 120 })], 4_100)).toMatchObject({
      reason: "TURNING",
    });
    expect(rate.fixes([fixAt(290, 8_000)], 8_100)).toMatchObject({ reason: "NEAR_PICKUP" });
  });

  it("goes by the trip as it is known now, also when nobody said that it changed", () => {
    trip = "unknown";
    expect(rate.begin("driver", 0)).toMatchObject({ reason: "TRIP_UNKNOWN" });
    trip = undefined;
    expect(rate.fixes([fixAt(2_000, 0)], 1_000)).toMatchObject({ reason: "IDLE" });
    trip = TRIP;
    expect(rate.tripChanged(3_000)).toMatchObject({ reason: "ON_TRIP" });
    trip = undefined;
    expect(rate.tripChanged(6_000)).toMatchObject({ reason: "IDLE" });
  });

  it("knows what the device says of itself, until another run of the app", () => {
    rate.deviceState({ batteryPercent: 5 }, 0);
    expect(rate.begin("driver", 0)).toMatchObject({ reason: "LOW_BATTERY" });
    rate.forget();
    expect(rate.begin("driver", 1_000)).toMatchObject({ reason: "ON_TRIP" });
    expect(rate.deviceState({ batteryPercent: 5 }, 2_000)).toBeUndefined();
    expect(pass(3_000, 10_000)).toEqual([{ atMs: 8_000, reason: "LOW_BATTERY" }]);
  });

  it("tells of the gateway's load when fixes come, not to everybody in the same second", () => {
    trip = undefined;
    rate.begin("driver", 0);
    load.level = 2;
    expect(pass(1_000, 20_000)).toEqual([]);
    rate.fixes([fixAt(0, 20_000)], 20_000);
    expect(pass(21_000, 30_000)).toEqual([{ atMs: 26_000, reason: "SERVER_OVERLOADED" }]);
  });

  it("asks a rider for positions only while the driver looks", () => {
    trip = undefined;
    expect(rate.begin("rider", 0)).toMatchObject({ intervalMs: 60_000, reason: "RIDER" });
    expect(rate.watched(TRIP.tripId, watchedForMs, 5_000)).toMatchObject({ reason: "RIDER_WATCHED" });
    expect(pass(6_000, 60_000)).toEqual([{ atMs: 31_000, reason: "RIDER" }]);
  });
});

describe("rateOfCall", () => {
  const deps = { limits: DEFAULT_LIMITS, load: { level: 0 as const } };
  const of = (trip: Trip | undefined | "unknown", fixes: FixInput[] = []) =>
    rateOfCall("driver", trip, fixes, undefined, deps).reason;

  it("goes by the trip and the newest fix of the call, and takes a driver's trip for watched", () => {
    expect(of(TRIP)).toBe("ON_TRIP");
    expect(of(TRIP, [fixAt(100, 1_000), fixAt(3_000, 0)])).toBe("NEAR_PICKUP");
    expect(of("unknown")).toBe("TRIP_UNKNOWN");
    expect(of(undefined, [fixAt(0, 0, { speedMps: 0 })])).toBe("PARKED");
    expect(rateOfCall("rider", undefined, [], undefined, deps).reason).toBe("RIDER");
  });
});
