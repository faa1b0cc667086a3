import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ahead, distanceM } from "./flat-earth.ts";
import { Marker } from "./marker.ts";
import { type Pose, RECKON_MS } from "./pose.ts";
import { MAX_SPEED_MPS, type MotionPoint } from "./track.ts";

const START = { latDeg: 57.7, lonDeg: 11.97 };
const FRAME_MS = 16;

/** A car that drives north at a constant speed, one fix per interval. */
function driveNorth(fixes: number, intervalMs: number, speedMps: number): MotionPoint[] {
  return Array.from({ length: fixes }, (_, i) => ({
    tMs: i * intervalMs,
    ...ahead(START, 0, (speedMps * i * intervalMs) / 1000),
    headingDeg: 0,
    speedMps,
  }));
}

/** Plays points into a marker, each `lagMs` after its time, and samples every frame. */
function play(points: MotionPoint[], lagMs: number, untilMs: number): Pose[] {
  const marker = new Marker();
  const poses: Pose[] = [];
  let next = 0;
  for (let nowMs = 0; nowMs <= untilMs; nowMs += FRAME_MS) {
    while (next < points.length && points[next]!.tMs + lagMs <= nowMs) marker.push(points[next++]!, nowMs);
    const pose = marker.sample(nowMs);
    if (pose) poses.push(pose);
  }
  return poses;
}

describe("the marker", () => {
  it("shows nothing before the first point", () => {
    expect(new Marker().sample(1000)).toBeUndefined();
  });

  it("glides evenly between fixes, about one interval late", () => {
    const poses = play(driveNorth(30, 4000, 12), 150, 100_000);
    const steady = poses.filter((pose) => pose.tMs > 40_000 && pose.tMs < 90_000);
    for (let i = 1; i < steady.length; i++) {
      const speedMps = distanceM(steady[i - 1]!, steady[i]!) / (FRAME_MS / 1000);
      expect(speedMps).toBeGreaterThan(11);
      expect(speedMps).toBeLessThan(13);
    }
    const last = poses.at(-1)!;
    const lagMs = 100_000 - last.tMs;
    expect(lagMs).toBeGreaterThan(4000);
    expect(lagMs).toBeLessThan(6000);
  });

  it("reckons for 3 s after the last fix, slowing down, then freezes and says so", () => {
    const points = driveNorth(10, 4000, 12);
    const last = points.at(-1)!;
    const poses = play(points, 100, last.tMs + 20_000);
    const reckoned = poses.filter((pose) => pose.mode === "reckoned");
    expect(reckoned.length).toBeGreaterThan(100);
    for (const pose of reckoned) expect(pose.tMs).toBeLessThanOrEqual(last.tMs + RECKON_MS);
    const frozen = poses.filter((pose) => pose.mode === "frozen");
    expect(frozen.length).toBeGreaterThan(100);
    const places = new Set(frozen.map((pose) => `${pose.latDeg},${pose.lonDeg}`));
    expect(places.size).toBe(1);
    expect(distanceM(frozen[0]!, last)).toBeCloseTo((12 * RECKON_MS) / 2000, 0);
  });

  it("keeps its heading while the car stands", () => {
    const points = driveNorth(5, 4000, 10);
    const stop = points.at(-1)!;
    for (let i = 1; i <= 5; i++)
      points.push({
        ...ahead(stop, i * 70, 0.8),
        tMs: stop.tMs + i * 4000,
        headingDeg: i * 70,
        speedMps: 0.1,
      });
    const poses = play(points, 100, stop.tMs + 20_000);
    const standing = poses.filter((pose) => pose.tMs > stop.tMs + 1000 && pose.tMs < stop.tMs + 19_000);
    for (const pose of standing) {
      expect(pose.mode).toBe("standing");
      expect(pose.headingDeg).toBeCloseTo(0, 3);
    }
  });

  it("turns the short way through north", () => {
    const points = [
      { tMs: 0, ...START, headingDeg: 350, speedMps: 10 },
      { tMs: 4000, ...ahead(START, 0, 40), headingDeg: 10, speedMps: 10 },
    ];
    for (const pose of play(points, 0, 8000))
      if (pose.tMs >= 0 && pose.tMs <= 4000)
        expect(pose.headingDeg! >= 350 || pose.headingDeg! <= 10.001).toBe(true);
  });

  it("fades out and in at a leap instead of gliding through houses", () => {
    const points = driveNorth(5, 4000, 10);
    const before = points.at(-1)!;
    const far = ahead(before, 90, 3000);
    points.push({ ...far, tMs: before.tMs + 4000, headingDeg: 0, speedMps: 10 });
    points.push({ ...ahead(far, 0, 40), tMs: before.tMs + 8000, headingDeg: 0, speedMps: 10 });
    const poses = play(points, 100, before.tMs + 14_000);
    for (const pose of poses) {
      const fromOld = distanceM(pose, before);
      const fromNew = distanceM(pose, far);
      expect(Math.min(fromOld, fromNew)).toBeLessThan(250);
    }
    expect(poses.some((pose) => pose.opacity < 0.2)).toBe(true);
    expect(poses.at(-1)!.opacity).toBe(1);
  });

  it("takes late points into the way without moving the shown time", () => {
    const marker = new Marker();
    const points = driveNorth(6, 4000, 10);
    const late = points.splice(3, 1)[0]!;
    for (const point of points) marker.push(point, point.tMs + 100);
    const before = marker.sample(21_000)!;
    marker.insert([late]);
    const after = marker.sample(21_000)!;
    expect(after.tMs).toBe(before.tMs);
  });

  it("glides a small correction away instead of hopping", () => {
    const points = driveNorth(8, 4000, 12);
    const stopped = { ...ahead(points.at(-1)!, 0, 1), tMs: 34_500, headingDeg: 0, speedMps: 0 };
    const marker = new Marker();
    let shown: Pose | undefined;
    for (let nowMs = 0; nowMs < 50_000; nowMs += FRAME_MS) {
      for (const point of points)
        if (point.tMs + 100 > nowMs - FRAME_MS && point.tMs + 100 <= nowMs) marker.push(point, nowMs);
      if (nowMs > 36_500 && nowMs <= 36_500 + FRAME_MS) marker.push(stopped, nowMs);
      const pose = marker.sample(nowMs);
      if (pose && shown) expect(distanceM(shown, pose)).toBeLessThan(3.2);
      shown = pose;
    }
  });

  const arrivals = fc.array(
    fc.record({
      afterMs: fc.integer({ min: 0, max: 40_000 }),
      ageMs: fc.integer({ min: 0, max: 60_000 }),
      eastM: fc.integer({ min: -500, max: 500 }),
      northM: fc.integer({ min: -500, max: 500 }),
      headingDeg: fc.option(fc.integer({ min: 0, max: 360 }), { nil: undefined }),
      speedMps: fc.option(fc.integer({ min: 0, max: 40 }), { nil: undefined }),
      late: fc.boolean(),
    }),
    { minLength: 1, maxLength: 25 },
  );

  it("never shows an earlier moment, never hops visibly, whatever comes in whatever order", () => {
    fc.assert(
      fc.property(arrivals, (steps) => {
        const marker = new Marker();
        let nowMs = 100_000;
        let shown: Pose | undefined;
        const frame = () => {
          const pose = marker.sample(nowMs)!;
          expect(pose.opacity).toBeGreaterThanOrEqual(0);
          expect(pose.opacity).toBeLessThanOrEqual(1);
          if (pose.headingDeg !== undefined) {
            expect(pose.headingDeg).toBeGreaterThanOrEqual(0);
            expect(pose.headingDeg).toBeLessThanOrEqual(360);
          }
          if (shown) {
            expect(pose.tMs).toBeGreaterThanOrEqual(shown.tMs);
            // A share of a glide of at most some 100 m, and the drive itself.
            if (pose.opacity === 1 && shown.opacity === 1)
              expect(distanceM(shown, pose)).toBeLessThan(MAX_SPEED_MPS * 0.1 * 1.6 + 1 + 60);
          }
          shown = pose;
        };
        for (const step of steps) {
          const tMs = nowMs - step.ageMs;
          const place = ahead(ahead(START, 90, step.eastM), 0, step.northM);
          const point = { tMs, ...place, headingDeg: step.headingDeg, speedMps: step.speedMps };
          if (step.late) marker.insert([point]);
          else marker.push(point, nowMs);
          for (let passedMs = 0; passedMs <= step.afterMs; passedMs += 100) {
            frame();
            nowMs += 100;
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
