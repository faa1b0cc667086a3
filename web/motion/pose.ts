import { ahead, between, courseDeg, distanceM, type Place, turnDeg } from "./flat-earth.ts";
import { isCut, type MotionPoint, type Track } from "./track.ts";

/**
 * What the car does. `driving` and `standing`: between known points. `reckoned`: a little beyond the newest one, along
 * its course. `frozen`: nothing is known any more, it stays where it was last thought to be.
 */
export type PoseMode = "driving" | "standing" | "reckoned" | "frozen";

/** How to draw a car at one moment. */
export type Pose = Place & {
  /** Clockwise from north, 0…360; undefined while unknown. */
  headingDeg: number | undefined;
  mode: PoseMode;
  /** 0…1: below 1 around a cut, where the car vanishes at one place and appears at another. */
  opacity: number;
  /** The moment shown: the clock of the points. */
  tMs: number;
};

/** Dead reckoning ends after this; the speed falls to nothing on the way, so that the car comes to rest. */
export const RECKON_MS = 3_000;
/** Length of each half of a cut's fade. */
export const FADE_MS = 350;
/** Below this between two points the car stands: its course would be noise. */
const STANDING_M = 2.5;
/** Below this speed a course is noise. */
const STANDING_MPS = 0.7;

/** Course at the point with this index: its own, else that of the line to it; undefined when neither is known. */
function headingAt(points: readonly MotionPoint[], index: number): number | undefined {
  for (let i = index; i >= 0 && i > index - 20; i--) {
    const point = points[i]!;
    if (point.headingDeg !== undefined && (point.speedMps ?? 99) >= STANDING_MPS) return point.headingDeg;
    const before = points[i - 1];
    if (before && distanceM(before, point) >= STANDING_M && !isCut(before, point))
      return courseDeg(before, point);
  }
  return points[index]?.headingDeg;
}

/**
 * The car at a moment of the track: pure, for live and for replay alike. Undefined for an empty track; before the
 * first point the car stands at it, after the last one it is reckoned and then freezes.
 */
export function poseAt(track: Track, tMs: number): Pose | undefined {
  const { points } = track;
  if (points.length === 0) return undefined;
  const index = track.indexAfter(tMs);
  if (index === 0) return still(points[0]!, headingAt(points, 0), "frozen", tMs);
  const before = points[index - 1]!;
  const after = points[index];
  const fadeIn = fadeInOpacity(points, index - 1, tMs);
  if (!after) return { ...beyond(points, tMs), opacity: fadeIn };
  if (isCut(before, after)) {
    const held = beyond(points.slice(Math.max(0, index - 21), index), tMs);
    return { ...held, opacity: Math.min(fadeIn, Math.min(1, (after.tMs - tMs) / FADE_MS)) };
  }
  return { ...within(points, index, tMs), opacity: fadeIn };
}

/** Just after a cut the car appears little by little. */
function fadeInOpacity(points: readonly MotionPoint[], index: number, tMs: number): number {
  const at = points[index]!;
  const from = points[index - 1];
  if (!from || tMs - at.tMs >= FADE_MS || !isCut(from, at)) return 1;
  return (tMs - at.tMs) / FADE_MS;
}

function still(at: MotionPoint, headingDeg: number | undefined, mode: PoseMode, tMs: number): Pose {
  return { latDeg: at.latDeg, lonDeg: at.lonDeg, headingDeg, mode, opacity: 1, tMs };
}

/** Between the points `index − 1` and `index`, which are no cut. */
function within(points: readonly MotionPoint[], index: number, tMs: number): Omit<Pose, "opacity"> {
  const before = points[index - 1]!;
  const after = points[index]!;
  const share = (tMs - before.tMs) / (after.tMs - before.tMs);
  const place = between(before, after, share);
  const fromDeg = headingAt(points, index - 1);
  if (distanceM(before, after) < STANDING_M) return { ...place, headingDeg: fromDeg, mode: "standing", tMs };
  const toDeg = headingAt(points, index) ?? courseDeg(before, after);
  return { ...place, headingDeg: turnDeg(fromDeg ?? toDeg, toDeg, share), mode: "driving", tMs };
}

/** After the last of the points: on along its course, ever slower, for RECKON_MS. */
function beyond(points: readonly MotionPoint[], tMs: number): Omit<Pose, "opacity"> {
  const last = points.at(-1)!;
  const headingDeg = headingAt(points, points.length - 1);
  const sinceMs = tMs - last.tMs;
  const speedMps = speedAt(points);
  const place = { latDeg: last.latDeg, lonDeg: last.lonDeg };
  const over = sinceMs >= RECKON_MS;
  if (headingDeg === undefined || speedMps < STANDING_MPS)
    return { ...place, headingDeg, mode: over ? "frozen" : "standing", tMs };
  // Speed falls evenly from v to 0 over T: s = v (t − t² / 2T).
  const seconds = Math.min(sinceMs, RECKON_MS) / 1000;
  const metres = speedMps * (seconds - (seconds * seconds) / (2 * (RECKON_MS / 1000)));
  return { ...ahead(place, headingDeg, metres), headingDeg, mode: over ? "frozen" : "reckoned", tMs };
}

/** Speed at the last point: its own, else that of the line to it. */
function speedAt(points: readonly MotionPoint[]): number {
  const last = points.at(-1)!;
  if (last.speedMps !== undefined) return last.speedMps;
  const before = points.at(-2);
  if (!before || isCut(before, last)) return 0;
  return distanceM(before, last) / ((last.tMs - before.tMs) / 1000);
}
