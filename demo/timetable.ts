import { bearingDeg } from "../internal/core/geo.ts";
import type { RoadPath } from "./road-path.ts";

/** How a town car starts and brakes, and what its passengers bear in a bend, metres per second². */
const ACCELERATION = 1.6;
export const BRAKING = 2.0;
const SIDEWAYS = 2.5;
/** The slowest that a corner is taken. */
const CORNER_MPS = 1.5;

/** When a car is where on its path: constant acceleration, cruise, constant braking on each segment. Immutable. */
export type Timetable = {
  path: RoadPath;
  /** Speed at each point, and the highest speed wanted on the segment that ends there, metres per second. */
  speedMps: Float64Array;
  cruiseMps: Float64Array;
  /** When each point is reached and left, milliseconds since 1970; they differ where the car waits. */
  arriveMs: Float64Array;
  leaveMs: Float64Array;
};

export type Journey = {
  startMs: number;
  /** Speed at the start; lowered where the path does not allow it. */
  startSpeedMps: number;
  /** Share of the counted speed that is driven on the segment that ends at a point. */
  pace: (point: number) => number;
  /** Seconds to stand at a point; 0 to drive on. */
  waitS: (point: number) => number;
};

/** Where a car is at a moment. Course over ground in degrees clockwise from north, kept while standing. */
export type Motion = {
  latDeg: number;
  lonDeg: number;
  speedMps: number;
  headingDeg: number;
  tunnel: boolean;
  /** Metres driven since the start of the path. */
  drivenM: number;
};

/** Plans a drive along a path, which ends standing. */
export function planTimetable(path: RoadPath, journey: Journey): Timetable {
  const count = path.latDeg.length;
  const waitsS = Array.from({ length: count }, (_, point) => journey.waitS(point));
  const cruiseMps = path.speedMps.map((speed, point) => speed * journey.pace(point));
  const speedMps = new Float64Array(count);
  for (let point = count - 2; point >= 0; point--) {
    const segmentM = path.distanceM[point + 1]! - path.distanceM[point]!;
    const brakeableMps = Math.sqrt(speedMps[point + 1]! ** 2 + 2 * BRAKING * segmentM);
    let limit = Math.min(brakeableMps, cruiseMps[point + 1]!);
    if (point > 0) limit = Math.min(limit, cruiseMps[point]!, cornerSpeedMps(path, point));
    speedMps[point] = waitsS[point]! > 0 ? 0 : limit;
  }
  speedMps[0] = Math.min(speedMps[0]!, journey.startSpeedMps);
  const arriveMs = new Float64Array(count).fill(journey.startMs);
  const leaveMs = arriveMs.map((ms) => ms + waitsS[0]! * 1000);
  for (let point = 1; point < count; point++) {
    const segmentM = path.distanceM[point]! - path.distanceM[point - 1]!;
    const fromMps = speedMps[point - 1]!;
    speedMps[point] = Math.min(speedMps[point]!, Math.sqrt(fromMps ** 2 + 2 * ACCELERATION * segmentM));
    const ramp = rampOf(segmentM, fromMps, speedMps[point]!, cruiseMps[point]!);
    arriveMs[point] = leaveMs[point - 1]! + ramp.totalS * 1000;
    leaveMs[point] = arriveMs[point]! + waitsS[point]! * 1000;
  }
  return { path, speedMps, cruiseMps, arriveMs, leaveMs };
}

/** When the last point is left. */
export function endMs(table: Timetable): number {
  return table.leaveMs[table.leaveMs.length - 1]!;
}

/** The motion at a moment; at the start before it, at the end after it. */
export function motionAt(table: Timetable, atMs: number): Motion {
  const { path } = table;
  const point = firstAbove(table.arriveMs, atMs);
  if (point === 0 || point === path.latDeg.length) {
    const end = point === 0 ? 0 : point - 1;
    const speedMps = point === 0 ? table.speedMps[0]! : 0;
    return placeAt(path, path.distanceM[end]!, speedMps);
  }
  const segmentM = path.distanceM[point]! - path.distanceM[point - 1]!;
  const fromMps = table.speedMps[point - 1]!;
  const sinceS = Math.max(0, (atMs - table.leaveMs[point - 1]!) / 1000);
  const ramp = rampOf(segmentM, fromMps, table.speedMps[point]!, table.cruiseMps[point]!);
  const [drivenM, speedMps] = driven(ramp, fromMps, Math.min(sinceS, ramp.totalS));
  return placeAt(path, path.distanceM[point - 1]! + Math.min(drivenM, segmentM), speedMps);
}

/** Speed up, cruise, brake: the parts of a segment. */
type Ramp = { peakMps: number; upS: number; cruiseS: number; totalS: number };

function rampOf(segmentM: number, fromMps: number, toMps: number, cruiseMps: number): Ramp {
  const reachable = Math.sqrt(
    (2 * ACCELERATION * BRAKING * segmentM + BRAKING * fromMps ** 2 + ACCELERATION * toMps ** 2) /
      (ACCELERATION + BRAKING),
  );
  const peakMps = Math.max(fromMps, toMps, Math.min(cruiseMps, reachable));
  const upM = (peakMps ** 2 - fromMps ** 2) / (2 * ACCELERATION);
  const downM = (peakMps ** 2 - toMps ** 2) / (2 * BRAKING);
  const upS = (peakMps - fromMps) / ACCELERATION;
  const cruiseS = peakMps > 0 ? Math.max(0, segmentM - upM - downM) / peakMps : 0;
  return { peakMps, upS, cruiseS, totalS: upS + cruiseS + (peakMps - toMps) / BRAKING };
}

/** Metres driven and speed `afterS` into a segment. */
function driven(ramp: Ramp, fromMps: number, afterS: number): [number, number] {
  const upS = Math.min(afterS, ramp.upS);
  const cruiseS = Math.min(afterS - upS, ramp.cruiseS);
  const downS = afterS - upS - cruiseS;
  const upM = fromMps * upS + (ACCELERATION * upS ** 2) / 2;
  const downM = ramp.peakMps * downS - (BRAKING * downS ** 2) / 2;
  const speedMps = downS > 0 ? ramp.peakMps - BRAKING * downS : fromMps + ACCELERATION * upS;
  return [upM + ramp.peakMps * cruiseS + downM, Math.max(0, speedMps)];
}

/** How fast the bend at a point can be taken: the circle that fits in the corner, long straights counted in part. */
function cornerSpeedMps(path: RoadPath, point: number): number {
  const turn = Math.abs(((headingAt(path, point + 1) - headingAt(path, point) + 540) % 360) - 180);
  const longestM = turn < 45 ? 60 : 20;
  const beforeM = Math.min(longestM, path.distanceM[point]! - path.distanceM[point - 1]!);
  const afterM = Math.min(longestM, path.distanceM[point + 1]! - path.distanceM[point]!);
  const radiusM = (beforeM + afterM) / 4 / Math.tan(((turn / 2) * Math.PI) / 180);
  return Math.max(CORNER_MPS, Math.sqrt(SIDEWAYS * Math.max(0, radiusM)));
}

/** Course of the segment that ends at a point. */
function headingAt(path: RoadPath, point: number): number {
  const from = point - 1;
  return bearingDeg(path.latDeg[from]!, path.lonDeg[from]!, path.latDeg[point]!, path.lonDeg[point]!);
}

/** A car is this long before and behind its middle: its course in a corner is that of the chord. */
const HALF_CAR_M = 2.5;

function placeAt(path: RoadPath, drivenM: number, speedMps: number): Motion {
  const last = path.latDeg.length - 1;
  if (last === 0) {
    const [latDeg, lonDeg] = pointAt(path, 0);
    return { latDeg, lonDeg, speedMps: 0, headingDeg: 0, tunnel: false, drivenM: 0 };
  }
  const [latDeg, lonDeg] = pointAt(path, drivenM);
  const [backLat, backLon] = pointAt(path, Math.max(0, drivenM - HALF_CAR_M));
  const [frontLat, frontLon] = pointAt(path, Math.min(path.distanceM[last]!, drivenM + HALF_CAR_M));
  const segment = Math.min(last, Math.max(1, firstAbove(path.distanceM, drivenM)));
  return {
    latDeg,
    lonDeg,
    speedMps,
    headingDeg: bearingDeg(backLat, backLon, frontLat, frontLon),
    tunnel: path.tunnel[segment] === 1,
    drivenM,
  };
}

/** The point of a path `alongM` metres from its start. */
export function pointAt(path: RoadPath, alongM: number): [latDeg: number, lonDeg: number] {
  const to = Math.min(path.latDeg.length - 1, firstAbove(path.distanceM, alongM));
  if (to === 0) return [path.latDeg[0]!, path.lonDeg[0]!];
  const fromM = path.distanceM[to - 1]!;
  const share = Math.min(1, (alongM - fromM) / (path.distanceM[to]! - fromM));
  return [
    path.latDeg[to - 1]! + share * (path.latDeg[to]! - path.latDeg[to - 1]!),
    path.lonDeg[to - 1]! + share * (path.lonDeg[to]! - path.lonDeg[to - 1]!),
  ];
}

/** Index of the first number above `value` in rising numbers; their count when there is none. */
function firstAbove(rising: Float64Array, value: number): number {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
