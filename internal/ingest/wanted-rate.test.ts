import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import { TRIP_STATUSES } from "../core/trip.ts";
import { RATE_CASES } from "./rate-cases.ts";
import { type RateInput, WANTED_ACCURACIES } from "./rate-input.ts";
import { SLOWDOWNS } from "./rate-slowdowns.ts";
import { decideRate, type RateDecision, slowestOf } from "./wanted-rate.ts";

const UNKNOWN = Number.NaN;
const driver: RateInput = {
  kind: "driver",
  tripStatus: "ENROUTE_TO_DROPOFF",
  watched: true,
  distanceToWaypointM: 2_000,
  speedMps: 10,
  turningDegps: 0,
  device: {},
  load: 0,
};
const rateOf = (change: Partial<RateInput>, before?: RateDecision) =>
  decideRate({ ...driver, ...change }, DEFAULT_LIMITS, before).rate;
const IDLE = { tripStatus: undefined, watched: false } as const;
const TO_PICKUP = { tripStatus: "ENROUTE_TO_PICKUP" } as const;

/** What each case and slowdown is for: all of them stand here. */
const EXAMPLES: [Partial<RateInput>, number, string, string][] = [
  [{}, 4_000, "high", "ON_TRIP"],
  [{ distanceToWaypointM: UNKNOWN, speedMps: UNKNOWN, turningDegps: UNKNOWN }, 4_000, "high", "ON_TRIP"],
  [{ watched: false }, 8_000, "high", "ON_TRIP_UNWATCHED"],
  [{ speedMps: 0 }, 5_000, "high", "STANDING"],
  [{ speedMps: 25 }, 3_000, "high", "FAST"],
  [{ turningDegps: 20 }, 3_000, "high", "TURNING"],
  [{ tripStatus: "NEW", distanceToWaypointM: 10 }, 5_000, "high", "OFFERED"],
  [{ ...TO_PICKUP, distanceToWaypointM: 300 }, 2_000, "high", "NEAR_PICKUP"],
  [{ ...TO_PICKUP, distanceToWaypointM: 301 }, 4_000, "high", "ON_TRIP"],
  [{ ...TO_PICKUP, distanceToWaypointM: 100, watched: false }, 3_000, "high", "NEAR_STOP"],
  [{ distanceToWaypointM: 150 }, 3_000, "high", "NEAR_STOP"],
  [{ tripStatus: "ARRIVED_AT_PICKUP", distanceToWaypointM: 5, speedMps: 0 }, 5_000, "high", "AT_STOP"],
  [{ tripStatus: "UNKNOWN", watched: false }, 5_000, "high", "TRIP_UNKNOWN"],
  [{ ...IDLE }, 10_000, "balanced", "IDLE"],
  [{ ...IDLE, speedMps: 0.2 }, 20_000, "balanced", "PARKED"],
  [{ ...IDLE, kind: "rider" }, 60_000, "low", "RIDER"],
  [{ kind: "rider", watched: false }, 60_000, "low", "RIDER"],
  [{ ...IDLE, kind: "rider", watched: true }, 5_000, "high", "RIDER_WATCHED"],
  [{ device: { batteryPercent: 10 } }, 6_000, "balanced", "LOW_BATTERY"],
  [{ device: { batteryPercent: 10, charging: true } }, 4_000, "high", "ON_TRIP"],
  [{ device: { powerSave: true } }, 6_000, "balanced", "LOW_BATTERY"],
  [{ watched: false, device: { batteryPercent: 10 } }, 8_000, "balanced", "LOW_BATTERY"],
  [{ distanceToWaypointM: 50, device: { batteryPercent: 1 } }, 4_500, "high", "LOW_BATTERY"],
  [{ device: { network: "none" } }, 8_000, "high", "NO_NETWORK"],
  [{ ...IDLE, device: { airplaneMode: true } }, 20_000, "balanced", "NO_NETWORK"],
  [{ load: 1 }, 4_000, "high", "ON_TRIP"],
  [{ ...IDLE, load: 1 }, 15_000, "balanced", "SERVER_BUSY"],
  [{ load: 2 }, 6_000, "high", "SERVER_OVERLOADED"],
  [{ ...IDLE, load: 2 }, 24_000, "balanced", "SERVER_OVERLOADED"],
];

const anyInput: fc.Arbitrary<RateInput> = fc.record({
  kind: fc.constantFrom("driver", "rider"),
  tripStatus: fc.constantFrom(undefined, "UNKNOWN", ...TRIP_STATUSES),
  watched: fc.boolean(),
  distanceToWaypointM: fc.oneof(fc.double({ min: 0, max: 1_000 }), fc.double()),
  speedMps: fc.oneof(fc.double({ min: 0, max: 40 }), fc.double()),
  turningDegps: fc.oneof(fc.double({ min: 0, max: 90 }), fc.double()),
  device: fc.record(
    {
      batteryPercent: fc.nat(100),
      charging: fc.boolean(),
      powerSave: fc.boolean(),
      airplaneMode: fc.boolean(),
      network: fc.constantFrom("none", "cellular", "wifi"),
    },
    { requiredKeys: [] },
  ),
  load: fc.constantFrom(0, 1, 2),
});

describe("decideRate", () => {
  it.each(EXAMPLES)("%o: every %i ms, %s, %s", (input, intervalMs, accuracy, reason) => {
    expect(rateOf(input)).toEqual({ intervalMs, accuracy, reason });
  });

  it("has an example here for every case and slowdown", () => {
    const told = new Set(EXAMPLES.map(([, , , reason]) => reason));
    expect([...RATE_CASES, ...SLOWDOWNS].map(({ code }) => code).filter((code) => !told.has(code))).toEqual(
      [],
    );
  });

  it("never asks for more than the fastest, nor for less than keeps a position from looking old by the rate alone", () => {
    const settings = fc.record({
      delayedAfterMs: fc.integer({ min: 2_000, max: 60_000 }),
      staleAfterMs: fc.integer({ min: 2_000, max: 300_000 }),
      lostAfterMs: fc.integer({ min: 2_000, max: 600_000 }),
    });
    fc.assert(
      fc.property(fc.array(anyInput, { minLength: 1, maxLength: 4 }), settings, (inputs, chosen) => {
        const limits = { ...DEFAULT_LIMITS, ...chosen };
        let before: RateDecision | undefined;
        for (const input of inputs) {
          const decision = decideRate(input, limits, before);
          before = decision;
          const { intervalMs, accuracy } = decision.rate;
          expect(intervalMs).toBeGreaterThanOrEqual(limits.fastestWantedMs);
          expect(intervalMs).toBeLessThanOrEqual(60_000);
          expect(intervalMs).toBeLessThanOrEqual(slowestOf(input, limits));
          const isSeen = input.kind === "driver" ? input.tripStatus !== undefined : input.watched;
          const freshMs = isSeen
            ? limits.delayedAfterMs
            : input.kind === "driver"
              ? limits.staleAfterMs
              : limits.lostAfterMs;
          expect(intervalMs).toBeLessThan(freshMs);
          expect(WANTED_ACCURACIES).toContain(accuracy);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("never asks for more because of an empty battery, no network or a busy server", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const calm = decideRate({ ...input, device: {}, load: 0 }, DEFAULT_LIMITS).rate;
        expect(decideRate(input, DEFAULT_LIMITS).rate.intervalMs).toBeGreaterThanOrEqual(calm.intervalMs);
      }),
    );
  });

  it("never asks for less when somebody watches than when nobody does", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        // A car that stands and is watched may rest a little at 5 s; unwatched it rests at the floor.
        const [watched, unwatched] = [true, false].map(
          (is) => decideRate({ ...input, watched: is }, DEFAULT_LIMITS).rate.intervalMs,
        );
        expect(watched).toBeLessThanOrEqual(unwatched!);
      }),
    );
  });

  it("keeps a case until its threshold for leaving is passed, so that nothing flaps", () => {
    const near = decideRate({ ...driver, ...TO_PICKUP, distanceToWaypointM: 290 }, DEFAULT_LIMITS);
    expect(rateOf({ ...TO_PICKUP, distanceToWaypointM: 390 }, near).reason).toBe("NEAR_PICKUP");
    expect(rateOf({ ...TO_PICKUP, distanceToWaypointM: 390 }).reason).toBe("ON_TRIP");
    expect(rateOf({ ...TO_PICKUP, distanceToWaypointM: 410 }, near).reason).toBe("ON_TRIP");
    const low = decideRate({ ...driver, device: { batteryPercent: 15 } }, DEFAULT_LIMITS);
    expect(rateOf({ device: { batteryPercent: 19 } }, low).reason).toBe("LOW_BATTERY");
    expect(rateOf({ device: { batteryPercent: 19 } }).reason).toBe("ON_TRIP");
    expect(rateOf({ device: { batteryPercent: 21 } }, low).reason).toBe("ON_TRIP");
  });
});
