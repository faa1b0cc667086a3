import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { destination, distanceM } from "../core/geo.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import type { Trip } from "../core/trip.ts";
import type { RecordedFix } from "../history/history.ts";
import { type RecordedTrack, settle } from "./settlement.ts";

const START_MS = 1_800_000_000_000;
const DRIVER = { kind: "driver" as const, id: "driver-1" };

/** Gaussian noise from a linear congruential generator: the tests' own, so that they never change. */
function noiseOf(seed: number): () => number {
  let x = (seed * 2_654_435_761 + 12_345) >>> 0;
  const uniform = () => {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    return (x + 1) / 4_294_967_297;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

type World = { latDeg: number; lonDeg: number };
const GOTHENBURG: World = { latDeg: 57.7, lonDeg: 11.97 };

const east = (world: World, metres: number) =>
  destination(world.latDeg, world.lonDeg, metres >= 0 ? 90 : 270, Math.abs(metres));

/** Waits 20 s at −1,500 m, drives to 0 at 10 m/s, waits 30 s, drives to 3,000 m at 12 m/s, waits 29 s: 500 s. */
function truthAt(atS: number): { metres: number; mps: number } {
  if (atS < 20) return { metres: -1500, mps: 0 };
  if (atS < 170) return { metres: -1500 + 10 * (atS - 20), mps: 10 };
  if (atS < 200) return { metres: 0, mps: 0 };
  if (atS < 450) return { metres: 12 * (atS - 200), mps: 12 };
  return { metres: 3000, mps: 0 };
}

type Dirt = { everyS?: number; noiseM?: number; seed?: number; speedless?: boolean; world?: World };

function fixOf(atS: number, seq: number, place: World, fields: Partial<RecordedFix> = {}): RecordedFix {
  return {
    seq,
    capturedAtMs: START_MS + 1000 * atS,
    ...place,
    accuracyM: Number.NaN,
    speedMps: Number.NaN,
    headingDeg: Number.NaN,
    altitudeM: Number.NaN,
    source: "gnss",
    mock: false,
    sessionId: "session-1",
    sessionEpoch: 1,
    clockOffsetMs: 0,
    receivedAtMs: START_MS + 1000 * atS + 50,
    publishedLatDeg: Number.NaN,
    publishedLonDeg: Number.NaN,
    late: false,
    outlier: false,
    superseded: false,
    ...fields,
  };
}

function record({ everyS = 1, noiseM = 0, seed = 1, speedless = false, world = GOTHENBURG }: Dirt = {}) {
  const noise = noiseOf(seed);
  const fixes: RecordedFix[] = [];
  for (let atS = 1; atS < 500; atS += everyS) {
    const { metres, mps } = truthAt(atS);
    const way = east(world, metres + noiseM * noise());
    const side = noiseM * noise();
    const place = destination(way.latDeg, way.lonDeg, side >= 0 ? 0 : 180, Math.abs(side));
    const motion = speedless ? {} : { speedMps: mps, headingDeg: mps > 0 ? 90 : 0 };
    fixes.push(fixOf(atS, fixes.length, place, { ...motion, accuracyM: noiseM > 0 ? noiseM : Number.NaN }));
  }
  return fixes;
}

function tripIn(world: World, fields: Partial<Trip> = {}): Trip {
  return {
    tripId: "trip-1",
    region: "got",
    type: "exclusive",
    version: 6,
    generation: 1,
    status: "COMPLETE",
    statusSource: "explicit",
    statusAtMs: START_MS + 500_000,
    waypointIndex: 2,
    riderIds: ["rider-1"],
    sharingRiderIds: [],
    driverId: "driver-1",
    waypoints: [
      { kind: "pickup", position: east(world, 0), riderId: "", label: "" },
      { kind: "dropoff", position: east(world, 3000), riderId: "", label: "" },
    ],
    plannedPath: [],
    createdAtMs: START_MS,
    updatedAtMs: START_MS + 500_000,
    assignments: [{ driverId: "driver-1", fromMs: START_MS, toMs: START_MS + 500_000 }],
    endedAtMs: START_MS + 500_000,
    cancelReason: "",
    ...fields,
  };
}

const TRIP = tripIn(GOTHENBURG);
const settled = (fixes: RecordedFix[], trip = TRIP) =>
  settle(trip, [{ party: DRIVER, fixes }], DEFAULT_LIMITS);
const statuses = (final: ReturnType<typeof settle>) => final.phases.map((span) => span.status);
const WHOLE = ["NEW", "ENROUTE_TO_PICKUP", "ARRIVED_AT_PICKUP", "ENROUTE_TO_DROPOFF", "ARRIVED_AT_DROPOFF"];

describe("a settled trip", () => {
  it.each([
    ["clean", {}],
    ["one fix in four seconds", { everyS: 4 }],
    ["12 m of noise", { noiseM: 12 }],
    ["12 m of noise every four seconds", { noiseM: 12, everyS: 4 }],
    ["no speed, 5 m of noise", { noiseM: 5, speedless: true, everyS: 4 }],
  ] as [string, Dirt][])("has its phases and distances: %s", (_name, dirt) => {
    const final = settled(record(dirt));
    expect(statuses(final)).toEqual(WHOLE);
    const [, , arrived, left, there] = final.phases.map((span) => (span.fromMs - START_MS) / 1000);
    expect(Math.abs(arrived! - 170)).toBeLessThan(12);
    expect(Math.abs(left! - 200)).toBeLessThan(12);
    expect(Math.abs(there! - 450)).toBeLessThan(12);
    expect(Math.abs(final.distanceM - 3000)).toBeLessThan(60);
    expect(Math.abs(final.approachM - 1500)).toBeLessThan(60);
    expect([final.revision, final.settledAtMs]).toEqual([0, 0]);
  });

  it("has phases from the first assignment to the end, without holes", () => {
    const { phases } = settled(record({ noiseM: 12 }));
    expect(phases[0]?.fromMs).toBe(START_MS);
    expect(phases.at(-1)?.toMs).toBe(TRIP.endedAtMs);
    for (let i = 1; i < phases.length; i++) expect(phases[i]!.fromMs).toBe(phases[i - 1]!.toMs);
  });

  it("gains no distance from noise while standing", () => {
    const trip = tripIn(GOTHENBURG, { status: "CANCELED" });
    for (const speedless of [true, false]) {
      const noise = noiseOf(7);
      const fixes = Array.from({ length: 450 }, (_, i) => {
        const place = destination(57.7, 11.9, noise() > 0 ? 0 : 180, Math.abs(12 * noise()));
        return fixOf(
          1 + i,
          i,
          place,
          speedless ? { accuracyM: 12 } : { accuracyM: 12, speedMps: 0, headingDeg: 0 },
        );
      });
      expect(settled(fixes, trip).approachM).toBeLessThan(60);
    }
  });

  it("puts planted jumps back on the road", () => {
    const fixes = record();
    for (const i of [50, 51, 120, 230, 300, 301, 420]) Object.assign(fixes[i]!, east(fixes[i]!, 200), {});
    for (const i of [90, 260, 261, 380]) {
      const { latDeg, lonDeg } = destination(fixes[i]!.latDeg, fixes[i]!.lonDeg, 0, 150);
      Object.assign(fixes[i]!, { latDeg, lonDeg });
    }
    const { track, distanceM: drivenM } = settled(fixes);
    expect(track).toHaveLength(fixes.length);
    for (const point of track) {
      const truth = east(GOTHENBURG, truthAt((point.capturedAtMs - START_MS) / 1000).metres);
      expect(distanceM(truth.latDeg, truth.lonDeg, point.latDeg, point.lonDeg)).toBeLessThan(8);
    }
    expect(Math.abs(drivenM - 3000)).toBeLessThan(40);
  });

  it("of a ride whose pickup pin was wrong still has a ride, from where the car came nearest", () => {
    const trip = tripIn(GOTHENBURG);
    trip.waypoints[0]!.position = destination(GOTHENBURG.latDeg, GOTHENBURG.lonDeg, 0, 250);
    const final = settled(record(), trip);
    expect(statuses(final)).toEqual(["NEW", "ENROUTE_TO_PICKUP", "ENROUTE_TO_DROPOFF", "ARRIVED_AT_DROPOFF"]);
    expect(Math.abs(final.distanceM - 3000)).toBeLessThan(60);
  });

  it("that was canceled has an approach and no ride", () => {
    const endedAtMs = START_MS + 100_000;
    const trip = tripIn(GOTHENBURG, { status: "CANCELED", endedAtMs });
    const final = settled(record(), trip);
    expect(statuses(final)).toEqual(["NEW", "ENROUTE_TO_PICKUP"]);
    expect(final.distanceM).toBe(0);
    expect(Math.abs(final.approachM - 800)).toBeLessThan(30);
    expect(final.track).toHaveLength(100);
  });

  it("without fixes or without a driver is empty, not wrong", () => {
    expect(settled([])).toMatchObject({ distanceM: 0, approachM: 0, track: [], phases: [{ status: "NEW" }] });
    const trip = tripIn(GOTHENBURG, { driverId: "", assignments: [], status: "CANCELED" });
    expect(settled(record(), trip)).toMatchObject({ distanceM: 0, approachM: 0, track: [], phases: [] });
  });

  it("starts from NEW again when another driver takes over before the pickup", () => {
    const trip = tripIn(GOTHENBURG, {
      driverId: "driver-2",
      assignments: [
        { driverId: "driver-1", fromMs: START_MS, toMs: START_MS + 100_000 },
        { driverId: "driver-2", fromMs: START_MS + 100_000, toMs: START_MS + 500_000 },
      ],
    });
    const fixes = record();
    const both: RecordedTrack[] = [
      { party: DRIVER, fixes },
      { party: { kind: "driver", id: "driver-2" }, fixes },
    ];
    const final = settle(trip, both, DEFAULT_LIMITS);
    expect(statuses(final)).toEqual(["NEW", "ENROUTE_TO_PICKUP", ...WHOLE]);
    expect(Math.abs(final.approachM - 700)).toBeLessThan(40);
    expect(final.track).toHaveLength(fixes.length + 1);
  });

  it("keeps an explicit status of a trip that still runs", () => {
    const trip = tripIn(GOTHENBURG, {
      status: "ENROUTE_TO_DROPOFF",
      waypointIndex: 1,
      statusAtMs: START_MS + 120_000,
      endedAtMs: 0,
      assignments: [{ driverId: "driver-1", fromMs: START_MS, toMs: 0 }],
    });
    const { phases } = settled(record(), trip);
    const explicit = phases.find((span) => span.status === "ENROUTE_TO_DROPOFF");
    expect(explicit).toMatchObject({ fromMs: START_MS + 120_000, source: "explicit" });
    expect(phases.at(-1)?.status).toBe("ARRIVED_AT_DROPOFF");
  });
});

describe("sessions that overlap", () => {
  const elsewhere = destination(GOTHENBURG.latDeg, GOTHENBURG.lonDeg, 0, 5000);

  it("are ruled by the newest while it sends", () => {
    const fixes = record();
    const old = Array.from({ length: 300 }, (_, i) =>
      fixOf(100 + i, i, elsewhere, { sessionId: "session-0", sessionEpoch: 0, speedMps: 0 }),
    );
    const { track } = settled([...old, ...fixes]);
    expect(new Set(track.map((point) => point.sessionId))).toEqual(new Set(["session-1"]));
  });

  it("after a restart of the app keep what the first run recorded before", () => {
    const fixes = record().map((fix) =>
      fix.seq >= 250 ? { ...fix, sessionId: "session-2", sessionEpoch: 2, seq: fix.seq - 250 } : fix,
    );
    expect(settled(fixes).track).toHaveLength(fixes.length);
    expect(Math.abs(settled(fixes).distanceM - 3000)).toBeLessThan(20);
  });
});

describe("whatever way the fixes came", () => {
  const dirtArbitrary = fc.record({
    everyS: fc.constantFrom(3, 7),
    noiseM: fc.constantFrom(0, 12),
    seed: fc.nat(1000),
    speedless: fc.boolean(),
    world: fc.constantFrom(GOTHENBURG, { latDeg: -17, lonDeg: 179.99 }, { latDeg: 0, lonDeg: -180 }),
  });

  it("order, copies and split tracks change nothing", () => {
    fc.assert(
      fc.property(dirtArbitrary, fc.infiniteStream(fc.nat(1_000_000)), fc.nat(60), (dirt, stream, cut) => {
        const trip = tripIn(dirt.world);
        const fixes = record(dirt).map((fix) => ({ ...fix, sessionId: `s${fix.seq % 2}`, sessionEpoch: 1 }));
        const random = () => stream.next().value as number;
        const copies = fixes
          .filter(() => random() % 3 === 0)
          .map((fix) => ({ ...fix, receivedAtMs: fix.receivedAtMs + 9000, late: true }));
        const mixed = [...fixes, ...copies]
          .map((fix) => ({ fix, key: random() }))
          .sort((a, b) => a.key - b.key)
          .map(({ fix }) => fix);
        const split: RecordedTrack[] = [
          { party: DRIVER, fixes: mixed.slice(cut) },
          { party: { ...DRIVER }, fixes: mixed.slice(0, cut) },
        ];
        expect(settle(trip, split, DEFAULT_LIMITS)).toEqual(
          settle(trip, [{ party: DRIVER, fixes }], DEFAULT_LIMITS),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("a delay changes the receive times and nothing else", () => {
    fc.assert(
      fc.property(dirtArbitrary, fc.nat(1000), (dirt, seed) => {
        const trip = tripIn(dirt.world);
        const noise = noiseOf(seed);
        const fixes = record(dirt);
        const late = fixes.map((fix) => {
          const delayMs = Math.abs(Math.round(60_000 * noise()));
          return {
            ...fix,
            receivedAtMs: fix.receivedAtMs + delayMs,
            late: delayMs > 1000,
            outlier: delayMs > 50_000,
          };
        });
        const strip = (final: ReturnType<typeof settle>) => ({
          ...final,
          track: final.track.map((point) => ({ ...point, receivedAtMs: 0 })),
        });
        expect(strip(settled(late, trip))).toEqual(strip(settled(fixes, trip)));
      }),
      { numRuns: 60 },
    );
  });

  it("a trip across the 180th meridian is like any other", () => {
    const world = { latDeg: -17, lonDeg: 179.99 };
    const final = settled(record({ world }), tripIn(world));
    expect(statuses(final)).toEqual(WHOLE);
    expect(Math.abs(final.distanceM - 3000)).toBeLessThan(30);
    expect(Math.max(...final.track.map((point) => Math.abs(point.lonDeg)))).toBeLessThanOrEqual(180);
    expect(
      final.track.some((point) => point.lonDeg < 0) && final.track.some((point) => point.lonDeg > 0),
    ).toBe(true);
  });

  it("places are always numbers", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            atS: fc.integer({ min: 0, max: 500 }),
            latDeg: fc.double({ min: -89.9, max: 89.9, noNaN: true }),
            lonDeg: fc.double({ min: -180, max: 180, noNaN: true }),
            speedMps: fc.oneof(fc.constant(Number.NaN), fc.double({ min: 0, max: 60, noNaN: true })),
            headingDeg: fc.oneof(fc.constant(Number.NaN), fc.double({ min: 0, max: 360, noNaN: true })),
            accuracyM: fc.oneof(fc.constant(Number.NaN), fc.double({ min: 0, max: 5000, noNaN: true })),
          }),
          { maxLength: 40 },
        ),
        (wild) => {
          const fixes = wild.map(({ atS, latDeg, lonDeg, ...rest }, i) =>
            fixOf(atS, i, { latDeg, lonDeg }, rest),
          );
          const final = settled(fixes);
          for (const { latDeg, lonDeg } of final.track) {
            expect(Number.isFinite(latDeg) && Number.isFinite(lonDeg)).toBe(true);
          }
          expect(Number.isFinite(final.distanceM + final.approachM)).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });
});
