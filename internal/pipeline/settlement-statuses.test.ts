import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { statusAt, type TripStatus } from "../core/trip.ts";
import type { RecordedFix } from "../history/history.ts";
import { type RecordedStatus, settle } from "./settlement.ts";
import { CAR, fixOf, LIMITS, OTHER_CAR, T0, tripOf } from "./test-drives.ts";

const END_S = 240;

/** Stands 20 s, drives 600 m to the pickup (80 s), stands 40 s, drives to the dropoff at 1,500 m (210 s), stands. */
function metresAt(atS: number): number {
  return Math.min(10 * Math.max(0, atS - 20), 600) + Math.min(10 * Math.max(0, atS - 120), 900);
}

const fixes = Array.from({ length: END_S }, (_, atS): RecordedFix => {
  const speedMps = metresAt(atS + 1) > metresAt(atS) ? 10 : 0;
  return {
    ...fixOf(atS, T0 + 1_000 * atS, metresAt(atS), { speedMps }),
    ...{ sessionId: "session-0", sessionEpoch: 1, clockOffsetMs: 0, receivedAtMs: T0 + 1_000 * atS + 50 },
    ...{
      publishedLatDeg: Number.NaN,
      publishedLonDeg: Number.NaN,
      late: false,
      outlier: false,
      superseded: false,
    },
  };
});
const endedAtMs = T0 + 1_000 * END_S;
const assignments = [{ driverId: CAR, fromMs: T0, toMs: endedAtMs }];
const TRIP = tripOf({ status: "COMPLETE", statusAtMs: endedAtMs, waypointIndex: 2, endedAtMs, assignments });

const at = (
  atS: number,
  status: TripStatus,
  waypointIndex: number,
  source: "explicit" | "detected" = "explicit",
) => ({ atMs: T0 + 1_000 * atS, status, waypointIndex, source }) satisfies RecordedStatus;

function settled(statuses: readonly RecordedStatus[], trip = TRIP) {
  const tracks = trip.assignments.map(({ driverId }) => ({
    party: { kind: "driver" as const, id: driverId },
    fixes,
  }));
  return settle(trip, tracks, LIMITS, statuses);
}

/** Each phase's status, beginning in seconds and source. */
const phasesOf = (statuses: readonly RecordedStatus[], trip = TRIP) =>
  settled(statuses, trip).phases.map(({ status, fromMs, source }) => [status, (fromMs - T0) / 1_000, source]);

describe("statuses that people set, in the settled trip", () => {
  test("win over the same one seen earlier or later in the fixes", () => {
    const pressed = [at(70, "ARRIVED_AT_PICKUP", 0), at(135, "ENROUTE_TO_DROPOFF", 1)];
    expect(phasesOf(pressed).slice(2, 4)).toEqual([
      ["ARRIVED_AT_PICKUP", 70, "explicit"],
      ["ENROUTE_TO_DROPOFF", 135, "explicit"],
    ]);
    expect(phasesOf([at(110, "ARRIVED_AT_PICKUP", 0)]).slice(2, 3)).toEqual([
      ["ARRIVED_AT_PICKUP", 110, "explicit"],
    ]);
    expect(phasesOf(pressed)[4]?.slice(0, 1)).toEqual(["ARRIVED_AT_DROPOFF"]);
  });

  test("tell the way driven from the way to the pickup", () => {
    const without = settled([]);
    const later = settled([at(150, "ENROUTE_TO_DROPOFF", 1)]);
    expect(without.distanceM).toBeGreaterThan(880);
    expect(later.distanceM).toBeGreaterThan(580);
    expect(later.distanceM).toBeLessThan(620);
  });

  test("hold when they are said, also when they say again what was so, and the fixes know better at that moment", () => {
    const again = [at(0, "ENROUTE_TO_PICKUP", 0), at(170, "ENROUTE_TO_PICKUP", 0)];
    expect(phasesOf(again).slice(0, 2)).toEqual([
      ["ENROUTE_TO_PICKUP", 0, "explicit"],
      ["ENROUTE_TO_DROPOFF", 171, "detected"],
    ]);
  });

  test("rule out what the fixes say beyond them", () => {
    const never = phasesOf([at(230, "ENROUTE_TO_PICKUP", 0)], { ...TRIP, status: "CANCELED" });
    expect(never.map(([status]) => status)).toEqual(["NEW", "ENROUTE_TO_PICKUP"]);
  });

  test("that took back a wrong detection leave what was there before it", () => {
    const statuses = [
      at(83, "ARRIVED_AT_PICKUP", 0, "detected"),
      at(95, "ENROUTE_TO_DROPOFF", 1, "detected"),
      at(100, "ARRIVED_AT_PICKUP", 0),
    ];
    const [, , arrived, left] = phasesOf(statuses);
    expect(arrived?.[0]).toBe("ARRIVED_AT_PICKUP");
    expect(arrived?.[1]).toBeLessThan(90);
    expect(left).toEqual(["ENROUTE_TO_DROPOFF", expect.closeTo(120, -1), "detected"]);
  });

  test("what was merely detected live says nothing: the final track is better", () => {
    const live = [at(30, "ARRIVED_AT_PICKUP", 0, "detected"), at(230, "ENROUTE_TO_DROPOFF", 1, "detected")];
    expect(settled(live)).toEqual(settled([]));
  });

  test("of a driver who handed over before the pickup do not count for the next one", () => {
    const trip = tripOf({
      ...TRIP,
      assignments: [
        { driverId: OTHER_CAR, fromMs: T0, toMs: T0 + 60_000 },
        { driverId: CAR, fromMs: T0 + 60_000, toMs: endedAtMs },
      ],
    });
    const phases = phasesOf([at(50, "ARRIVED_AT_PICKUP", 0), at(60, "NEW", 0)], trip);
    expect(phases.slice(2, 4)).toEqual([
      ["ARRIVED_AT_PICKUP", 50, "explicit"],
      ["NEW", 60, "explicit"],
    ]);
    expect(phases.slice(4).map(([status]) => status)).toContain("ARRIVED_AT_PICKUP");
    expect(settled([at(50, "ARRIVED_AT_PICKUP", 0)], trip).approachM).toBeLessThan(250);
  });

  test("about a waypoint that is another one now are left out", () => {
    expect(
      settled([at(100, "ARRIVED_AT_INTERMEDIATE_DESTINATION", 1), at(90, "ARRIVED_AT_DROPOFF", 5)]),
    ).toEqual(settled([]));
  });

  test("hold in the final phases, whatever they are, in any order and with copies, without holes", () => {
    const status = fc.record({
      atS: fc.integer({ min: 0, max: END_S - 1 }),
      stage: fc.integer({ min: 0, max: 3 }),
      source: fc.constantFrom("explicit" as const, "explicit" as const, "detected" as const),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(status, { maxLength: 5, selector: ({ atS }) => atS }),
        fc.nat(),
        (wild, turn) => {
          const statuses = wild.map(({ atS, stage, source }) =>
            at(atS, statusAt(stage < 2 ? "pickup" : "dropoff", stage % 2 === 1), stage >> 1, source),
          );
          const { phases } = settled(statuses);
          const cut = turn % (statuses.length + 1);
          expect(
            settled([...statuses.slice(cut), ...statuses.slice(0, cut), ...statuses.slice(cut)]).phases,
          ).toEqual(phases);
          expect([phases[0]?.fromMs ?? T0, phases.at(-1)?.toMs ?? endedAtMs]).toEqual([T0, endedAtMs]);
          expect(phases.slice(1).map(({ fromMs }) => fromMs)).toEqual(
            phases.slice(0, -1).map(({ toMs }) => toMs),
          );
          for (const { status, atMs, source } of statuses) {
            const then = phases.find(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs);
            if (source === "explicit") expect(then).toMatchObject({ status, source });
          }
        },
      ),
      { numRuns: 80 },
    );
  });
});
