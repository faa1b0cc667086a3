import { describe, expect, it } from "vitest";
import type { Fix } from "../core/fix.ts";
import { destination, distanceM } from "../core/geo.ts";
import { smooth } from "./smoother.ts";

const START = { latDeg: 57.7, lonDeg: 11.97 };

/** A car that drives north-east at 10 m/s, one fix a second. */
function drive(count: number, change: (fix: Fix, i: number) => void = () => {}): Fix[] {
  return Array.from({ length: count }, (_, i) => {
    const fix: Fix = {
      seq: i,
      capturedAtMs: 1_800_000_000_000 + 1000 * i,
      ...destination(START.latDeg, START.lonDeg, 45, 10 * i),
      accuracyM: Number.NaN,
      speedMps: 10,
      headingDeg: 45,
      altitudeM: Number.NaN,
      source: "gnss",
      mock: false,
    };
    change(fix, i);
    return fix;
  });
}

function smoothed(fixes: Fix[]) {
  const track = smooth(
    fixes,
    Float64Array.from(fixes, (fix) => fix.capturedAtMs),
  );
  const offM = fixes.map((_, i) => {
    const truth = destination(START.latDeg, START.lonDeg, 45, 10 * i);
    return distanceM(truth.latDeg, truth.lonDeg, track.latDeg[i]!, track.lonDeg[i]!);
  });
  return { ...track, offM, outliers: [...track.outlier].flatMap((flag, i) => (flag === 1 ? [i] : [])) };
}

const jump = (fix: Fix, bearingDeg: number, metres: number) =>
  Object.assign(fix, destination(fix.latDeg, fix.lonDeg, bearingDeg, metres));

describe("the smoother", () => {
  it("leaves a clean drive where it was", () => {
    const { offM, outliers } = smoothed(drive(100));
    expect(Math.max(...offM)).toBeLessThan(0.1);
    expect(outliers).toEqual([]);
  });

  it("gives nothing for nothing and a single fix as it is", () => {
    expect(smooth([], new Float64Array(0)).latDeg).toHaveLength(0);
    expect(smoothed(drive(1)).offM[0]).toBeLessThan(0.01);
  });

  it.each([0, 1, 50, 98, 99])("finds a jump, be it at the end (%d of 100)", (at) => {
    const { offM, outliers } = smoothed(drive(100, (fix, i) => i === at && jump(fix, 300, 90)));
    expect(outliers).toEqual([at]);
    expect(Math.max(...offM)).toBeLessThan(1);
  });

  it("finds a run of jumps by the speed that says otherwise", () => {
    const { offM, outliers } = smoothed(drive(100, (fix, i) => i >= 40 && i < 46 && jump(fix, 300, 120)));
    expect(outliers).toEqual([40, 41, 42, 43, 44, 45]);
    expect(Math.max(...offM)).toBeLessThan(2);
  });

  it("finds a jump where the device gives no speed", () => {
    const fixes = drive(100, (fix, i) => {
      fix.speedMps = fix.headingDeg = Number.NaN;
      if (i === 50) jump(fix, 300, 90);
    });
    const { offM, outliers } = smoothed(fixes);
    expect(outliers).toEqual([50]);
    expect(Math.max(...offM)).toBeLessThan(3);
  });

  it("does not believe speeds that contradict the way", () => {
    const { offM } = smoothed(drive(100, (fix) => Object.assign(fix, { speedMps: 15, headingDeg: 200 })));
    expect(Math.max(...offM)).toBeLessThan(1);
  });

  it("holds a standing car still", () => {
    const fixes = drive(120, (fix, i) => {
      Object.assign(fix, START, { speedMps: 0, headingDeg: 0, accuracyM: 10 });
      jump(fix, (137 * i) % 360, 10);
    });
    const { latDeg, lonDeg, speedMps } = smoothed(fixes);
    let walkedM = 0;
    for (let i = 1; i < fixes.length; i++)
      walkedM += distanceM(latDeg[i - 1]!, lonDeg[i - 1]!, latDeg[i]!, lonDeg[i]!);
    expect(walkedM).toBeLessThan(5);
    expect(Math.max(...speedMps)).toBeLessThan(0.3);
  });

  it("starts anew after two minutes without a fix", () => {
    const fixes = drive(40, (fix, i) => {
      if (i >= 20) fix.capturedAtMs += 121_000;
    });
    expect([...smoothed(fixes).starts].flatMap((flag, i) => (flag === 1 ? [i] : []))).toEqual([0, 20]);
  });

  it("takes fixes of the same time as several measurements of one place", () => {
    const fixes = drive(60, (fix, i) => {
      if (i % 2 === 1) Object.assign(fix, { capturedAtMs: fix.capturedAtMs - 1000 });
      if (i % 2 === 1) jump(fix, 225, 10);
    });
    const { latDeg, lonDeg } = smoothed(fixes);
    expect(distanceM(latDeg[30]!, lonDeg[30]!, latDeg[31]!, lonDeg[31]!)).toBeLessThan(0.1);
    for (const place of latDeg) expect(Number.isFinite(place)).toBe(true);
  });
});
