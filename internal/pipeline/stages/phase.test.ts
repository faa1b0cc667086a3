import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { destination, type LatLon } from "../../core/geo.ts";
import type { Trip, TripStatus, WaypointKind } from "../../core/trip.ts";
import { createPhaseState, detectPhase, type PhaseChange, type PhaseState, phaseReset } from "./phase.ts";

const START_MS = 1_800_000_000_000;
const HOME: LatLon = { latDeg: 57.7, lonDeg: 11.97 };

/** Metres east and north of HOME. */
function at(east: number, north: number, origin: LatLon = HOME): LatLon {
  const moved = destination(origin.latDeg, origin.lonDeg, east >= 0 ? 90 : 270, Math.abs(east));
  return destination(moved.latDeg, moved.lonDeg, north >= 0 ? 0 : 180, Math.abs(north));
}

function tripOf(stops: [WaypointKind, LatLon][], fields: Partial<Trip> = {}): Trip {
  return {
    tripId: "trip-1",
    region: "got",
    type: "exclusive",
    version: 1,
    generation: 1,
    status: "NEW",
    statusSource: "explicit",
    statusAtMs: START_MS,
    waypointIndex: 0,
    riderIds: ["rider-1"],
    sharingRiderIds: [],
    driverId: "driver-1",
    waypoints: stops.map(([kind, position]) => ({ kind, position, riderId: "", label: "" })),
    plannedPath: [],
    createdAtMs: START_MS,
    updatedAtMs: START_MS,
    assignments: [{ driverId: "driver-1", fromMs: START_MS, toMs: 0 }],
    endedAtMs: 0,
    cancelReason: "",
    ...fields,
  };
}

/** A leg of a drive along the east axis: until `toM` at `mps`, or standing for `standS`. */
type Leg = { toM: number; mps: number } | { standS: number };
type Place = { atS: number; eastM: number; northM: number; mps: number };

/** The places of a car every tenth of a second. */
function drive(startM: number, legs: Leg[], northM = 0): Place[] {
  const places: Place[] = [];
  let atS = 1;
  let eastM = startM;
  for (const leg of legs) {
    const driving = "toM" in leg;
    const spanS = driving ? Math.abs(leg.toM - eastM) / leg.mps : leg.standS;
    const step = driving ? Math.sign(leg.toM - eastM) * leg.mps : 0;
    const mps = driving ? leg.mps : 0;
    for (let s = 0; s < spanS; s += 0.1) {
      places.push({ atS, eastM, northM, mps });
      eastM += step * 0.1;
      atS += 0.1;
    }
    if (driving) eastM = leg.toM;
  }
  return places;
}

type Options = { everyS?: number; phaseS?: number; noiseM?: number; seed?: number; speedless?: boolean };

/** Gaussian noise from a linear congruential generator: the tests' own, so that they never change. */
function noiseOf(seed: number): () => number {
  let x = (seed * 2_654_435_761 + 12_345) >>> 0;
  const uniform = () => {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    return (x + 1) / 4_294_967_297;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

function samplesOf(places: Place[], options: Options = {}) {
  const { everyS = 1, phaseS = 0, noiseM = 0, seed = 1, speedless = false } = options;
  const noise = noiseOf(seed);
  const samples = [];
  let dueS = 1 + phaseS;
  for (const place of places) {
    if (place.atS < dueS - 1e-6) continue;
    dueS += everyS;
    samples.push({
      ...at(place.eastM + noiseM * noise(), place.northM + noiseM * noise()),
      speedMps: speedless ? Number.NaN : place.mps,
      accuracyM: noiseM > 0 ? noiseM : Number.NaN,
      outlier: false,
      atMs: START_MS + Math.round(place.atS * 1000),
    });
  }
  return samples;
}

function apply(trip: Trip, change: PhaseChange): Trip {
  const { status, waypointIndex, atMs } = change;
  return {
    ...trip,
    status,
    waypointIndex,
    statusAtMs: atMs,
    statusSource: "detected",
    version: trip.version + 1,
  };
}

function run(trip: Trip, samples: ReturnType<typeof samplesOf>, state: PhaseState = createPhaseState()) {
  const changes: PhaseChange[] = [];
  for (const sample of samples) {
    const change = detectPhase(state, trip, sample);
    if (!change) continue;
    changes.push(change);
    trip = apply(trip, change);
  }
  return { changes, trip, state, statuses: changes.map((change) => change.status) };
}

const PICKUP = at(0, 0);
const DROPOFF = at(3000, 0);
const RIDE: [WaypointKind, LatLon][] = [
  ["pickup", PICKUP],
  ["dropoff", DROPOFF],
];
const WHOLE_RIDE: Leg[] = [
  { standS: 20 },
  { toM: 0, mps: 10 },
  { standS: 30 },
  { toM: 3000, mps: 12 },
  { standS: 30 },
];
const ALL: TripStatus[] = [
  "ENROUTE_TO_PICKUP",
  "ARRIVED_AT_PICKUP",
  "ENROUTE_TO_DROPOFF",
  "ARRIVED_AT_DROPOFF",
];
const atS = (change: PhaseChange | undefined) => ((change?.atMs ?? 0) - START_MS) / 1000;

describe("a whole ride", () => {
  const truthS = [21, 171, 201, 451];

  it.each([
    ["one fix a second", {}],
    ["one fix in four seconds", { everyS: 4, phaseS: 1.5 }],
    ["12 m of noise", { noiseM: 12, seed: 3 }],
    ["12 m of noise, one fix in four seconds", { everyS: 4, noiseM: 12, seed: 4 }],
    ["no speed", { speedless: true }],
    ["no speed, one fix in four seconds, some noise", { everyS: 4, speedless: true, noiseM: 5 }],
  ] as [string, Options][])("is seen phase by phase with %s", (_name, options) => {
    const { changes, statuses } = run(tripOf(RIDE), samplesOf(drive(-1500, WHOLE_RIDE), options));
    expect(statuses).toEqual(ALL);
    changes.forEach((change, i) => {
      expect(Math.abs(atS(change) - truthS[i]!)).toBeLessThanOrEqual(i === 0 ? 20 : 12);
    });
  });

  it("goes straight to ARRIVED when the driver stands at the pickup already", () => {
    const { statuses } = run(tripOf(RIDE), samplesOf(drive(15, [{ standS: 20 }, { toM: 400, mps: 10 }])));
    expect(statuses).toEqual(["ARRIVED_AT_PICKUP", "ENROUTE_TO_DROPOFF"]);
  });

  it("stays NEW while the driver stands elsewhere, however noisy", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const samples = samplesOf(drive(-900, [{ standS: 900 }]), { noiseM: 12, everyS: 4, seed });
      expect(run(tripOf(RIDE), samples).statuses).toEqual([]);
    }
  });

  it("stays silent without a driver, and for trips that are over", () => {
    const samples = samplesOf(drive(-1500, WHOLE_RIDE));
    expect(run(tripOf(RIDE, { driverId: "" }), samples).statuses).toEqual([]);
    expect(run(tripOf(RIDE, { status: "COMPLETE", waypointIndex: 2 }), samples).statuses).toEqual([]);
    expect(run(tripOf(RIDE, { status: "CANCELED", waypointIndex: 0 }), samples).statuses).toEqual([]);
  });

  it("never ends the trip by itself", () => {
    const legs = [...WHOLE_RIDE, { toM: 9000, mps: 15 }, { standS: 600 }];
    expect(run(tripOf(RIDE), samplesOf(drive(-1500, legs))).statuses).toEqual(ALL);
  });
});

describe("arriving", () => {
  const enroute = () => tripOf(RIDE, { status: "ENROUTE_TO_PICKUP" });

  it("finds a stop of 5 s among fixes every 4 s, wherever they fall", () => {
    for (let phaseS = 0; phaseS < 4; phaseS += 0.25) {
      const legs = [{ toM: 10, mps: 8 }, { standS: 5 }, { toM: 800, mps: 8 }];
      const { statuses } = run(enroute(), samplesOf(drive(-600, legs), { everyS: 4, phaseS }));
      expect(statuses).toEqual(["ARRIVED_AT_PICKUP", "ENROUTE_TO_DROPOFF"]);
    }
  });

  it("takes a stop sign at the pickup for what it is", () => {
    const legs = [{ toM: 0, mps: 8 }, { standS: 2 }, { toM: 400, mps: 8 }];
    expect(run(enroute(), samplesOf(drive(-600, legs))).statuses).toEqual([]);
  });

  it("does not take a drive past on another street for a stop, however noisy", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const places = drive(-600, [{ toM: 450, mps: 9 }], 60);
      expect(run(enroute(), samplesOf(places, { noiseM: 12, seed })).statuses).toEqual([]);
      expect(run(enroute(), samplesOf(places, { noiseM: 12, seed, everyS: 4 })).statuses).toEqual([]);
    }
  });

  it("does not take a red light on the next street for a stop", () => {
    const legs = [{ toM: 0, mps: 9 }, { standS: 30 }, { toM: 400, mps: 9 }];
    expect(run(enroute(), samplesOf(drive(-600, legs, 78))).statuses).toEqual([]);
  });

  it("waits through a jam before the pickup", () => {
    const jam: Leg[] = [];
    for (let m = -400; m <= -130; m += 15) jam.push({ standS: 20 }, { toM: m, mps: 3 });
    const legs: Leg[] = [{ toM: -400, mps: 9 }, ...jam, { toM: 0, mps: 6 }, { standS: 20 }];
    const { changes, statuses } = run(enroute(), samplesOf(drive(-900, legs), { everyS: 4 }));
    expect(statuses).toEqual(["ARRIVED_AT_PICKUP"]);
    const arrivedS = drive(-900, legs).find((place) => place.eastM >= -1)!.atS;
    expect(Math.abs(atS(changes[0]) - arrivedS)).toBeLessThan(6);
  });

  it("accepts a long stop a little off the pin", () => {
    const legs = [{ toM: -70, mps: 9 }, { standS: 60 }, { toM: 600, mps: 9 }];
    const { statuses } = run(enroute(), samplesOf(drive(-600, legs), { everyS: 4 }));
    expect(statuses).toEqual(["ARRIVED_AT_PICKUP", "ENROUTE_TO_DROPOFF"]);
  });

  it("finds a long stop among fixes every 30 s", () => {
    for (let phaseS = 0; phaseS < 30; phaseS += 3) {
      const legs = [{ toM: 0, mps: 10 }, { standS: 60 }, { toM: 2000, mps: 10 }];
      const { statuses } = run(enroute(), samplesOf(drive(-1500, legs), { everyS: 30, phaseS }));
      expect(statuses).toEqual(["ARRIVED_AT_PICKUP", "ENROUTE_TO_DROPOFF"]);
    }
  });

  it("is not fooled by single wrong fixes at the pickup, flagged or not", () => {
    const samples = samplesOf(drive(-1500, [{ toM: -400, mps: 10 }]));
    for (const [i, sample] of samples.entries()) {
      if (i % 20 === 10) Object.assign(sample, PICKUP);
      if (i % 20 === 5) Object.assign(sample, PICKUP, { outlier: true, speedMps: 0 });
    }
    expect(run(enroute(), samples).statuses).toEqual([]);
  });

  it("ignores fixes that admit to knowing nothing", () => {
    const samples = samplesOf(drive(0, [{ standS: 60 }])).map((sample) => ({ ...sample, accuracyM: 500 }));
    expect(run(enroute(), samples).statuses).toEqual([]);
  });
});

describe("leaving", () => {
  const arrived = () => tripOf(RIDE, { status: "ARRIVED_AT_PICKUP" });

  it("does not flap at the border with noise", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const samples = samplesOf(drive(75, [{ standS: 1200 }]), { noiseM: 12, seed, speedless: true });
      expect(run(arrived(), samples).statuses).toEqual([]);
    }
  });

  it("needs more than one fix outside", () => {
    const samples = samplesOf(drive(0, [{ standS: 100 }]));
    for (let i = 10; i < 100; i += 10) Object.assign(samples[i]!, at(200, 0), { speedMps: 10 });
    expect(run(arrived(), samples).statuses).toEqual([]);
  });

  it("dates back to the first fix of the movement", () => {
    const { changes } = run(arrived(), samplesOf(drive(0, [{ standS: 40 }, { toM: 500, mps: 10 }])));
    expect(changes).toHaveLength(1);
    expect(atS(changes[0])).toBeCloseTo(41, 0);
  });

  it("waits when the driver said 'arrived' before being there", () => {
    const legs = [{ toM: 0, mps: 10 }, { standS: 30 }];
    const there = run(arrived(), samplesOf(drive(-600, legs)));
    expect(there.statuses).toEqual([]);
    const legsOn = [...legs, { toM: 400, mps: 10 }];
    expect(run(arrived(), samplesOf(drive(-600, legsOn))).statuses).toEqual(["ENROUTE_TO_DROPOFF"]);
  });
});

describe("a missed stop", () => {
  const enroute = (fields: Partial<Trip> = {}) => tripOf(RIDE, { status: "ENROUTE_TO_PICKUP", ...fields });
  const past = [{ toM: 2900, mps: 12 }];

  it("is passed over once half of the way to the next waypoint is done, dated back to the passing", () => {
    for (const everyS of [1, 4, 30]) {
      const { changes, statuses } = run(enroute(), samplesOf(drive(-900, past), { everyS, phaseS: 3 }));
      expect(statuses).toEqual(["ENROUTE_TO_DROPOFF"]);
      expect(Math.abs(atS(changes[0]) - 76)).toBeLessThanOrEqual(everyS);
    }
  });

  it("is not concluded off the planned path", () => {
    const plannedPath = [PICKUP, at(0, 2000), at(3000, 2000), DROPOFF];
    const statuses = run(enroute({ plannedPath }), samplesOf(drive(-900, [{ toM: 2500, mps: 12 }]))).statuses;
    expect(statuses).toEqual([]);
    const along = enroute({ plannedPath: [PICKUP, DROPOFF] });
    expect(run(along, samplesOf(drive(-900, past))).statuses).toEqual(["ENROUTE_TO_DROPOFF"]);
  });

  it("leaves room for turning round", () => {
    const legs = [{ toM: 900, mps: 12 }, { toM: 0, mps: 12 }, { standS: 30 }];
    expect(run(enroute(), samplesOf(drive(-900, legs))).statuses).toEqual(["ARRIVED_AT_PICKUP"]);
  });

  it("is not concluded when the car never came near", () => {
    expect(run(enroute(), samplesOf(drive(400, past))).statuses).toEqual([]);
  });
});

describe("several stops", () => {
  const stops: [WaypointKind, LatLon][] = [
    ["pickup", PICKUP],
    ["intermediate", at(1500, 0)],
    ["dropoff", DROPOFF],
  ];
  const legs: Leg[] = [
    { toM: 0, mps: 10 },
    { standS: 20 },
    { toM: 1500, mps: 12 },
    { standS: 20 },
    { toM: 3000, mps: 12 },
    { standS: 20 },
  ];

  it("are seen one after the other", () => {
    const { changes, statuses } = run(tripOf(stops), samplesOf(drive(-800, legs), { everyS: 4 }));
    expect(statuses).toEqual([
      "ENROUTE_TO_PICKUP",
      "ARRIVED_AT_PICKUP",
      "ENROUTE_TO_INTERMEDIATE_DESTINATION",
      "ARRIVED_AT_INTERMEDIATE_DESTINATION",
      "ENROUTE_TO_DROPOFF",
      "ARRIVED_AT_DROPOFF",
    ]);
    expect(changes.map((change) => change.waypointIndex)).toEqual([0, 0, 1, 1, 2, 2]);
  });

  it("at one door are reached together, in order", () => {
    const shared: [WaypointKind, LatLon][] = [
      ["pickup", PICKUP],
      ["pickup", at(10, 0)],
      ["dropoff", at(3000, 0)],
    ];
    const { changes } = run(tripOf(shared, { status: "ENROUTE_TO_PICKUP" }), samplesOf(drive(-800, legs)));
    expect(changes.slice(0, 4).map(({ status, waypointIndex }) => [status, waypointIndex])).toEqual([
      ["ARRIVED_AT_PICKUP", 0],
      ["ENROUTE_TO_PICKUP", 1],
      ["ARRIVED_AT_PICKUP", 1],
      ["ENROUTE_TO_DROPOFF", 2],
    ]);
  });

  it("of different kinds at one door need a drive between them", () => {
    const loop: [WaypointKind, LatLon][] = [
      ["pickup", PICKUP],
      ["dropoff", PICKUP],
    ];
    const standing = samplesOf(drive(0, [{ standS: 600 }]));
    expect(run(tripOf(loop), standing).statuses).toEqual(["ARRIVED_AT_PICKUP"]);
  });

  it("a short walk apart are told apart", () => {
    const close: [WaypointKind, LatLon][] = [
      ["pickup", PICKUP],
      ["dropoff", at(150, 0)],
    ];
    const near: Leg[] = [{ standS: 30 }, { toM: 150, mps: 5 }, { standS: 30 }];
    expect(run(tripOf(close), samplesOf(drive(0, near))).statuses).toEqual([
      "ARRIVED_AT_PICKUP",
      "ENROUTE_TO_DROPOFF",
      "ARRIVED_AT_DROPOFF",
    ]);
  });
});

describe("an explicit status", () => {
  it("that takes the trip back is not undone by the same evidence", () => {
    const samples = samplesOf(drive(-600, [{ toM: 20, mps: 9 }, { standS: 200 }, { toM: 600, mps: 9 }]));
    const first = run(tripOf(RIDE, { status: "ENROUTE_TO_PICKUP" }), samples.slice(0, 100));
    expect(first.statuses).toEqual(["ARRIVED_AT_PICKUP"]);
    const corrected: Trip = {
      ...first.trip,
      status: "ENROUTE_TO_PICKUP",
      statusSource: "explicit",
      version: 9,
    };
    phaseReset(first.state, corrected);
    expect(run(corrected, samples.slice(100, 260), first.state).statuses).toEqual([]);
  });

  it("ends the wait for what was being detected", () => {
    const samples = samplesOf(drive(-600, [{ toM: 0, mps: 10 }, { standS: 60 }]));
    const state = createPhaseState();
    run(tripOf(RIDE, { status: "ENROUTE_TO_PICKUP" }), samples.slice(0, 62), state);
    const gone = tripOf(RIDE, {
      status: "ENROUTE_TO_DROPOFF",
      waypointIndex: 1,
      statusAtMs: START_MS + 62_000,
    });
    phaseReset(state, gone);
    expect(run(gone, samples.slice(62), state).statuses).toEqual([]);
  });

  it("is not judged by fixes from before it", () => {
    const samples = samplesOf(drive(0, [{ standS: 60 }]));
    const later = tripOf(RIDE, { status: "ENROUTE_TO_PICKUP", statusAtMs: START_MS + 600_000 });
    expect(run(later, samples).statuses).toEqual([]);
  });

  it("that only confirms what was detected changes nothing", () => {
    const samples = samplesOf(drive(-600, [{ toM: 0, mps: 10 }, { standS: 60 }, { toM: 500, mps: 10 }]));
    const { state, trip } = run(tripOf(RIDE, { status: "ENROUTE_TO_PICKUP" }), samples.slice(0, 80));
    const before = { ...state };
    phaseReset(state, { ...trip, statusSource: "explicit", version: trip.version + 1 });
    expect(state).toEqual(before);
  });
});

describe("whatever the car does", () => {
  const legArbitrary: fc.Arbitrary<Leg> = fc.oneof(
    fc.record({ toM: fc.integer({ min: -1000, max: 4000 }), mps: fc.integer({ min: 2, max: 25 }) }),
    fc.record({ standS: fc.integer({ min: 1, max: 120 }) }),
  );
  const driveArbitrary = fc.record({
    legs: fc.array(legArbitrary, { minLength: 1, maxLength: 8 }),
    everyS: fc.constantFrom(1, 4, 30),
    noiseM: fc.constantFrom(0, 5, 12),
    seed: fc.nat(1000),
    speedless: fc.boolean(),
  });
  const stops: [WaypointKind, LatLon][] = [
    ["pickup", PICKUP],
    ["intermediate", at(1200, 0)],
    ["dropoff", at(2500, 0)],
  ];
  const stage = (change: PhaseChange) =>
    2 * change.waypointIndex + (change.status.startsWith("ARRIVED") ? 1 : 0);

  it("phases only go forward, skip no waypoint, never end the trip, and their times never fall or lead", () => {
    fc.assert(
      fc.property(driveArbitrary, ({ legs, ...options }) => {
        const samples = samplesOf(drive(-800, legs), options);
        let trip = tripOf(stops);
        const state = createPhaseState();
        let last = -1;
        for (const sample of samples) {
          const change = detectPhase(state, trip, sample);
          if (!change) continue;
          expect(stage(change)).toBeGreaterThan(last);
          expect(change.waypointIndex).toBeLessThanOrEqual(Math.max(0, trip.waypointIndex + 1));
          expect(stage(change) - last).toBeLessThanOrEqual(2);
          expect(["COMPLETE", "CANCELED"]).not.toContain(change.status);
          expect(change.atMs).toBeGreaterThanOrEqual(trip.statusAtMs);
          expect(change.atMs).toBeLessThanOrEqual(sample.atMs);
          last = stage(change);
          trip = apply(trip, change);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("the same samples give the same phases, also when the state went through a snapshot on the way", () => {
    fc.assert(
      fc.property(driveArbitrary, fc.nat(500), ({ legs, ...options }, cut) => {
        const samples = samplesOf(drive(-800, legs), options);
        const whole = run(tripOf(stops), samples);
        const first = run(tripOf(stops), samples.slice(0, cut));
        const restored = JSON.parse(JSON.stringify(first.state)) as PhaseState;
        const second = run(first.trip, samples.slice(cut), restored);
        expect([...first.changes, ...second.changes]).toEqual(whole.changes);
      }),
      { numRuns: 150 },
    );
  });

  it("outliers, repeats and older samples change nothing", () => {
    fc.assert(
      fc.property(driveArbitrary, fc.nat(1000), ({ legs, ...options }, seed) => {
        const samples = samplesOf(drive(-800, legs), options);
        const noise = noiseOf(seed);
        const noisy = samples.flatMap((sample, i) => {
          const dirt = noise();
          const older = samples[Math.max(0, i - 3)]!;
          return dirt > 1
            ? [sample, sample, { ...PICKUP, ...older }, { ...sample, outlier: true, atMs: sample.atMs + 1 }]
            : [sample];
        });
        expect(run(tripOf(stops), noisy).changes).toEqual(run(tripOf(stops), samples).changes);
      }),
      { numRuns: 100 },
    );
  });
});
