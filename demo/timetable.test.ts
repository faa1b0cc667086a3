import { expect, test } from "vitest";
import { distanceM } from "../internal/core/geo.ts";
import { createRandom } from "./random.ts";
import { readRoadGraph } from "./road-graph.ts";
import { pathLengthM } from "./road-path.ts";
import { route } from "./route.ts";
import { endMs, motionAt, planTimetable } from "./timetable.ts";

const graph = await readRoadGraph();
const random = createRandom(2, "test");
const START_MS = 1_700_000_000_000;
const STEP_S = 0.1;
const paths = Array.from({ length: 10 }, () =>
  route(graph, Math.floor(random.unit() * graph.nodeCount), Math.floor(random.unit() * graph.nodeCount)),
);
const drives = paths.map((path) =>
  planTimetable(path, {
    startMs: START_MS,
    startSpeedMps: 0,
    pace: () => 0.9,
    waitS: (point) => (path.stops[point] ? 5 : 0),
  }),
);

test("a drive starts and ends standing, at the ends of its path", () => {
  for (const drive of drives) {
    const end = motionAt(drive, endMs(drive) + 1000);
    expect(motionAt(drive, START_MS - 1000)).toMatchObject({ speedMps: 0, drivenM: 0 });
    expect(end.speedMps).toBe(0);
    expect(end.drivenM).toBeCloseTo(pathLengthM(drive.path), 3);
  }
});

test("a car never goes back, never leaps, and never starts, brakes or drives harder than allowed", () => {
  for (const drive of drives) {
    const fastestMps = drive.cruiseMps.reduce((a, b) => Math.max(a, b));
    let last = motionAt(drive, START_MS);
    for (let ms = START_MS; ms < endMs(drive); ms += STEP_S * 1000) {
      const now = motionAt(drive, ms);
      expect(now.speedMps - last.speedMps).toBeLessThan(1.6 * STEP_S + 0.01);
      expect(last.speedMps - now.speedMps).toBeLessThan(2.0 * STEP_S + 0.01);
      expect(now.speedMps).toBeLessThan(fastestMps + 0.001);
      expect(now.drivenM).toBeGreaterThanOrEqual(last.drivenM);
      expect(now.drivenM - last.drivenM).toBeLessThan((fastestMps + 0.5) * STEP_S);
      expect(distanceM(last.latDeg, last.lonDeg, now.latDeg, now.lonDeg)).toBeLessThan(
        now.drivenM - last.drivenM + 0.001,
      );
      last = now;
    }
  }
});

test("sharp corners are taken slowly", () => {
  for (const { path, speedMps } of drives) {
    for (let point = 1; point < path.latDeg.length - 1; point++) {
      if (turnDeg(path, point) > 80) expect(speedMps[point]).toBeLessThan(6);
    }
  }
});

test("a car stands where it has to wait, as long as it has to", () => {
  const drive = drives.find(({ path }) => path.stops.includes(1) || path.stops.includes(2))!;
  const stop = drive.path.stops.findIndex((kind) => kind > 0);
  expect(drive.leaveMs[stop]! - drive.arriveMs[stop]!).toBe(5000);
  expect(motionAt(drive, drive.arriveMs[stop]! + 2500).speedMps).toBe(0);
  expect(motionAt(drive, drive.arriveMs[stop]! + 2500).drivenM).toBeCloseTo(drive.path.distanceM[stop]!, 3);
});

/** How far the path turns at a point, 0…180, from the vectors in local metres. */
function turnDeg({ latDeg, lonDeg }: { latDeg: Float64Array; lonDeg: Float64Array }, at: number): number {
  const east = Math.cos((latDeg[at]! * Math.PI) / 180);
  const [ax, ay] = [(lonDeg[at]! - lonDeg[at - 1]!) * east, latDeg[at]! - latDeg[at - 1]!];
  const [bx, by] = [(lonDeg[at + 1]! - lonDeg[at]!) * east, latDeg[at + 1]! - latDeg[at]!];
  return (Math.acos((ax * bx + ay * by) / (Math.hypot(ax, ay) * Math.hypot(bx, by))) * 180) / Math.PI;
}
