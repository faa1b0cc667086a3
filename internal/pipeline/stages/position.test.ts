import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Fix } from "../../core/fix.ts";
import { destination, distanceM, type LatLon } from "../../core/geo.ts";
import { applyPosition, createEstimate, createPositionState, type Estimate, placeLate } from "./position.ts";
import { TRAIL_SPAN_MS } from "./position-trail.ts";

const ORIGIN: LatLon = { latDeg: 57.7, lonDeg: 11.97 };
const UNKNOWN = Number.NaN;

function fixAt(place: LatLon, tS: number, more: Partial<Fix> = {}): Fix {
  return {
    seq: tS,
    capturedAtMs: tS * 1000,
    latDeg: place.latDeg,
    lonDeg: place.lonDeg,
    accuracyM: UNKNOWN,
    speedMps: UNKNOWN,
    headingDeg: UNKNOWN,
    altitudeM: UNKNOWN,
    source: "gnss",
    mock: false,
    ...more,
  };
}

const off = (place: LatLon, bearing: number, metres: number) =>
  destination(place.latDeg, place.lonDeg, bearing, metres);
const apart = (a: LatLon, b: LatLon) => distanceM(a.latDeg, a.lonDeg, b.latDeg, b.lonDeg);
/** A party, fed fix by fix; each gives what is published. */
function party() {
  const state = createPositionState();
  const give = (fix: Fix): Estimate => {
    const out = createEstimate();
    applyPosition(state, fix, fix.capturedAtMs, out);
    return out;
  };
  const giveLate = (fix: Fix): Estimate | undefined => {
    const out = createEstimate();
    return placeLate(state, fix, fix.capturedAtMs, out) ? out : undefined;
  };
  return { state, give, giveLate };
}

/** A car going north at a speed; `at` is its true place. */
function north(speedMps: number) {
  const at = (tS: number) => off(ORIGIN, 0, speedMps * tS);
  return {
    at,
    fix: (tS: number, more: Partial<Fix> = {}) => fixAt(at(tS), tS, { speedMps, headingDeg: 0, ...more }),
  };
}

describe("a fix in order", () => {
  it("is published as it is when it is the first", () => {
    const out = party().give(fixAt(ORIGIN, 0, { speedMps: 12, headingDeg: 90 }));
    expect(out).toMatchObject({ ...ORIGIN, outlier: false });
    expect(out.speedMps).toBeCloseTo(12, 0);
    expect(out.headingDeg).toBeCloseTo(90, 0);
  });

  it("of a car that drives evenly is published where it is, with speed and heading", () => {
    const { give } = party();
    const car = north(14);
    for (let t = 0; t <= 40; t += 4) give(car.fix(t));
    const out = give(car.fix(44));
    expect(apart(out, car.at(44))).toBeLessThan(0.5);
    expect(out.speedMps).toBeCloseTo(14, 1);
    expect(Math.min(out.headingDeg, 360 - out.headingDeg)).toBeLessThan(0.5);
    expect(out.accuracyM).toBeGreaterThanOrEqual(3);
  });

  it.each([1, 4])("that jumps by 60 m or more is not published, %i s apart", (step) => {
    const { give } = party();
    const car = north(14);
    for (let t = 0; t < 60; t += step) {
      for (const bearing of [0, 90, 200]) {
        const jumped = t > 20 && t % (5 * step) === 0;
        const out = give(car.fix(t, jumped ? off(car.at(t), bearing, 60 + 2 * t) : {}));
        expect(apart(out, car.at(t))).toBeLessThan(8);
        if (jumped) break;
        if (bearing === 0) break;
      }
    }
  });

  it("that jumps is told as an outlier", () => {
    const { give } = party();
    const car = north(14);
    for (let t = 0; t < 10; t++) expect(give(car.fix(t)).outlier).toBe(false);
    expect(give(car.fix(10, off(car.at(10), 90, 100))).outlier).toBe(true);
    expect(give(car.fix(11)).outlier).toBe(false);
  });

  it("of a receiver without speed is followed closely, corners too", () => {
    const { give } = party();
    let place = ORIGIN;
    for (let t = 0; t < 120; t++) {
      place = off(place, t % 40 < 20 ? 0 : 90, 12);
      expect(apart(give(fixAt(place, t)), place)).toBeLessThan(2);
    }
  });

  it("with an honest poor accuracy is smoothed", () => {
    const { give } = party();
    const car = north(14);
    const errors: number[] = [];
    for (let t = 0; t < 400; t++) {
      const shown = give(car.fix(t, { ...off(car.at(t), 137 * t, 15), accuracyM: 12 }));
      if (t > 60) errors.push(apart(shown, car.at(t)));
    }
    expect(Math.max(...errors)).toBeLessThan(6);
  });

  it("after a pause of minutes is published as it is, however far off", () => {
    const { give } = party();
    const car = north(14);
    for (let t = 0; t < 20; t++) give(car.fix(t));
    const there = off(ORIGIN, 90, 9_000);
    expect(give(fixAt(there, 20 + 121))).toMatchObject({ ...there, outlier: false });
  });
});

describe("a filter that was wrong", () => {
  it.each([1, 4])("is back by the third fix when a drift snaps back, %i s apart", (step) => {
    const { give } = party();
    const car = north(12);
    let t = 0;
    for (; t < 40; t += step) give(car.fix(t));
    for (const end = t + 15; t <= end; t += step) give(car.fix(t, off(car.at(t), 90, 75 - 5 * (end - t))));
    give(car.fix(t));
    give(car.fix(t + step));
    expect(apart(give(car.fix(t + 2 * step)), car.at(t + 2 * step))).toBeLessThan(5);
  });

  it("follows fixes that agree among themselves, one place or one way", () => {
    const { give } = party();
    const car = north(12);
    for (let t = 0; t < 30; t++) give(car.fix(t));
    const elsewhere = (t: number) => off(car.at(t), 90, 400);
    const shown = [30, 31, 32].map((t) => give(car.fix(t, elsewhere(t))));
    expect(shown.map((out) => out.outlier)).toEqual([true, true, false]);
    expect(apart(shown[2]!, elsewhere(32))).toBeLessThan(1);
  });

  it("never starves: whatever comes, the tenth rejected fix in a row is published", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(359), fc.integer({ min: 0, max: 50_000 })), { minLength: 60 }),
        (moves) => {
          const { give } = party();
          let rejected = 0;
          moves.forEach(([bearing, metres], t) => {
            rejected = give(fixAt(off(ORIGIN, bearing, metres), t)).outlier ? rejected + 1 : 0;
            expect(rejected).toBeLessThan(10);
          });
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each([
    ["stuck at zero", { speedMps: 0, headingDeg: 0 }],
    ["in km/h", { speedMps: 50, headingDeg: 0 }],
    ["with a heading that never turns", { speedMps: 14, headingDeg: 180 }],
  ])("because of a speed %s does not believe it any more", (_, lie) => {
    const { give, state } = party();
    const car = north(14);
    let out = createEstimate();
    for (let t = 0; t < 120; t++) out = give(car.fix(t, lie));
    expect(state.trusted).toBe(false);
    expect(apart(out, car.at(119))).toBeLessThan(3);
    for (let t = 120; t < 240; t++) out = give(car.fix(t));
    expect(state.trusted).toBe(true);
  });
});

describe("a standing car", () => {
  it("does not wander with the drift of its fixes", () => {
    const { give } = party();
    const car = north(10);
    for (let t = 0; t < 30; t++) give(car.fix(t));
    const spot = car.at(29);
    let before = spot;
    let way = 0;
    for (let t = 30; t < 90; t++) {
      const drifted = off(off(spot, 90, 1.5 * Math.sin(t / 9)), 0, 1.5 * Math.cos(t / 7));
      const out = give(fixAt(drifted, t, { speedMps: 0, headingDeg: 0 }));
      expect(out.speedMps).toBe(0);
      expect(out.headingDeg).toBeNaN();
      way += apart(out, before);
      before = { latDeg: out.latDeg, lonDeg: out.lonDeg };
    }
    expect(way).toBeLessThan(3);
  });

  it("that drives off is followed", () => {
    const { give } = party();
    for (let t = 0; t < 60; t++) give(fixAt(ORIGIN, t, { speedMps: 0, headingDeg: 0 }));
    const car = north(10);
    for (let t = 1; t < 10; t++)
      expect(apart(give(fixAt(car.at(t), 60 + t, { speedMps: 10, headingDeg: 0 })), car.at(t))).toBeLessThan(
        6,
      );
  });

  it("without speed that repeats its place stays there, and a stale place that leaps on is followed", () => {
    const { give } = party();
    for (let t = 0; t < 20; t++) give(fixAt(off(ORIGIN, 0, 15 * t), t));
    const stale = off(ORIGIN, 0, 15 * 19);
    for (let t = 20; t < 24; t++) expect(apart(give(fixAt(stale, t)), stale)).toBeLessThan(1);
    const fresh = off(ORIGIN, 0, 15 * 24);
    expect(apart(give(fixAt(fresh, 24)), fresh)).toBeLessThan(2);
  });
});

describe("a late fix", () => {
  const car = north(14);
  const driven = () => {
    const made = party();
    for (let t = 0; t <= 60; t += 4) if (t !== 32) made.give(car.fix(t));
    return made;
  };

  it("gets its place between its neighbours and leaves the filter as it is", () => {
    const { giveLate, state } = driven();
    const before = structuredClone(state);
    const out = giveLate(car.fix(32));
    expect(apart(out!, car.at(32))).toBeLessThan(1);
    expect(out!.outlier).toBe(false);
    expect(state).toEqual(before);
  });

  it("that jumped gets the place on the trail", () => {
    const { giveLate } = driven();
    const out = giveLate(car.fix(32, off(car.at(32), 90, 120)));
    expect(out!.outlier).toBe(true);
    expect(apart(out!, car.at(32))).toBeLessThan(3);
  });

  it("from before the trail, or from after the newest place, gets none", () => {
    const { give, giveLate } = driven();
    for (let t = 64; t <= 180; t += 4) give(car.fix(t));
    expect(giveLate(car.fix(180 - TRAIL_SPAN_MS / 1000 - 4))).toBeUndefined();
    expect(giveLate(car.fix(200))).toBeUndefined();
    expect(party().giveLate(car.fix(1))).toBeUndefined();
  });
});

describe("whatever comes", () => {
  const anyFix = fc.record({
    stepS: fc.oneof(fc.integer({ min: 0, max: 10 }), fc.integer({ min: -100, max: 1_000 })),
    latDeg: fc.oneof(
      fc.double({ min: -90, max: 90, noNaN: true }),
      fc.double({ min: 57.69, max: 57.71, noNaN: true }),
    ),
    lonDeg: fc.oneof(
      fc.double({ min: -180, max: 180, noNaN: true }),
      fc.double({ min: 11.9, max: 12, noNaN: true }),
    ),
    accuracyM: fc.oneof(fc.constant(UNKNOWN), fc.double({ min: 0, max: 5_000, noNaN: true })),
    speedMps: fc.oneof(fc.constant(UNKNOWN), fc.constant(0), fc.double({ min: 0, max: 100, noNaN: true })),
    headingDeg: fc.oneof(fc.constant(UNKNOWN), fc.double({ min: 0, max: 360, noNaN: true })),
  });

  it("is published as a place on Earth, with sound variances", () => {
    fc.assert(
      fc.property(fc.array(anyFix, { minLength: 1, maxLength: 60 }), (steps) => {
        const { give, giveLate, state } = party();
        let t = 1_000_000;
        for (const { stepS, ...more } of steps) {
          t += stepS;
          for (const out of [give(fixAt(ORIGIN, t, more)), giveLate(fixAt(ORIGIN, t - 5, more))]) {
            if (!out) continue;
            expect(Math.abs(out.latDeg)).toBeLessThanOrEqual(90);
            expect(Math.abs(out.lonDeg)).toBeLessThanOrEqual(180);
            expect(out.accuracyM).toBeGreaterThan(0);
          }
          expect(state.pp).toBeGreaterThanOrEqual(0);
          expect(state.vv).toBeGreaterThanOrEqual(0);
          expect(state.pp * state.vv - state.pv * state.pv).toBeGreaterThan(
            -1e-3 * (1 + state.pp * state.vv),
          );
        }
      }),
      { numRuns: 300 },
    );
  });

  it("gives the same from a copy of the state as from the state", () => {
    fc.assert(
      fc.property(fc.array(anyFix, { minLength: 2, maxLength: 40 }), fc.nat(), (steps, cut) => {
        const { give, state } = party();
        let t = 1_000_000;
        const fixes = steps.map(({ stepS, ...more }) => {
          t += Math.abs(stepS);
          return fixAt(ORIGIN, t, more);
        });
        const middle = cut % fixes.length;
        for (const fix of fixes.slice(0, middle)) give(fix);
        const copy = structuredClone(state);
        for (const fix of fixes.slice(middle)) {
          const out = createEstimate();
          applyPosition(copy, fix, fix.capturedAtMs, out);
          expect(out).toEqual(give(fix));
        }
      }),
      { numRuns: 100 },
    );
  });

  it("works across the 180th meridian", () => {
    const { give } = party();
    const start = { latDeg: -17, lonDeg: 179.995 };
    for (let t = 0; t < 120; t++) {
      const place = off(start, 90, 14 * t);
      expect(apart(give(fixAt(place, t, { speedMps: 14, headingDeg: 90 })), place)).toBeLessThan(1);
    }
  });
});
