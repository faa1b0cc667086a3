import { describe, expect, it } from "vitest";
import { destination } from "../core/geo.ts";
import type { FixInput } from "./messages.ts";
import { Motion } from "./motion.ts";

const T0 = 1_700_000_000_000;
const START = { latDeg: 57.7, lonDeg: 11.97 };
const fix = (atMs: number, change: Partial<FixInput> = {}): FixInput => ({
  ...{ seq: 0, capturedAtMs: T0 + atMs, ...START, accuracyM: 5, altitudeM: undefined },
  ...{ speedMps: 10, headingDeg: 0, source: "gnss", mock: false, ...change },
});

describe("Motion", () => {
  it("knows nothing before the first fix", () => {
    expect(new Motion()).toMatchObject({
      latDeg: Number.NaN,
      speedMps: Number.NaN,
      turningDegps: Number.NaN,
    });
  });

  it("takes speed and turning from what the device says, across north too", () => {
    const motion = new Motion();
    motion.see([fix(0, { headingDeg: 350 })]);
    expect(motion.turningDegps).toBeNaN();
    motion.see([fix(2_000, { headingDeg: 30, speedMps: 8 })]);
    expect(motion).toMatchObject({ speedMps: 8, turningDegps: 20 });
  });

  it("takes them from the places where the device says nothing", () => {
    const motion = new Motion();
    const silent = { speedMps: undefined, headingDeg: undefined };
    const second = destination(START.latDeg, START.lonDeg, 0, 40);
    const third = destination(second.latDeg, second.lonDeg, 90, 40);
    motion.see([fix(0, silent)]);
    motion.see([fix(4_000, { ...silent, ...second })]);
    motion.see([fix(8_000, { ...silent, ...third })]);
    expect(motion.speedMps).toBeCloseTo(10, 0);
    expect(motion.turningDegps).toBeCloseTo(90 / 4, 0);
  });

  it("is not led astray by a backlog, faulty places, or the noise of a course while standing", () => {
    const motion = new Motion();
    motion.see([fix(10_000), fix(4_000, { speedMps: 1 })]);
    motion.see([fix(6_000, { speedMps: 2 })]);
    motion.see([fix(12_000, { latDeg: 91, speedMps: 3 }), fix(5_000)]);
    motion.see([fix(13_000, { latDeg: undefined })]);
    expect(motion.speedMps).toBe(10);
    motion.see([fix(14_000, { speedMps: 0.1, headingDeg: 180 })]);
    expect(motion).toMatchObject({ speedMps: 0.1, turningDegps: Number.NaN });
    motion.see([fix(200_000, { headingDeg: 90 })]);
    expect(motion.turningDegps).toBeNaN();
  });
});
