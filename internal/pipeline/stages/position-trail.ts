import { lonDelta, METRES_PER_DEGREE, wrapLon } from "../../core/geo.ts";
import { metresPerDegreeLon } from "./kalman.ts";
import { POSITION_TUNING as K } from "./position-tuning.ts";

/** Places kept; the oldest leaves. At least a minute, as they are about a second apart or more. */
export const TRAIL_CAPACITY = 64;
/** Places closer in time are left out, milliseconds. */
const SPACING_MS = 950;

/** A ring of recent estimates, for late fixes. The place at slot i has its numbers at the same i of every array. */
export type PositionTrail = {
  /** Slot that is written next. */
  next: number;
  /** Slots in use. */
  count: number;
  tMs: Float64Array;
  latDeg: Float64Array;
  lonDeg: Float64Array;
  /** Velocity east and north, metres per second. */
  vx: Float32Array;
  vy: Float32Array;
  /** Variance of the place per axis, m². */
  variance: Float32Array;
  /** Metres per second squared by which the way to and from here may bend away from the interpolated one. */
  sag: Float32Array;
};

/** A place on the trail, and how sure it is. */
export type TrailPlace = { latDeg: number; lonDeg: number; variance: number; sag: number };

export function createPositionTrail(): PositionTrail {
  return {
    next: 0,
    count: 0,
    tMs: new Float64Array(TRAIL_CAPACITY),
    latDeg: new Float64Array(TRAIL_CAPACITY),
    lonDeg: new Float64Array(TRAIL_CAPACITY),
    vx: new Float32Array(TRAIL_CAPACITY),
    vy: new Float32Array(TRAIL_CAPACITY),
    variance: new Float32Array(TRAIL_CAPACITY),
    sag: new Float32Array(TRAIL_CAPACITY),
  };
}

type Point = { tMs: number; latDeg: number; lonDeg: number; vx: number; vy: number; pp: number };

/** Adds the newest estimate. One older than the newest kept means that time began anew: the trail does too. */
export function pushTrail(trail: PositionTrail, point: Point, sag: number): void {
  if (trail.count > 0) {
    const sinceMs = point.tMs - trail.tMs[slotBack(trail, 0)]!;
    if (sinceMs < 0) trail.count = 0;
    else if (sinceMs < SPACING_MS) return;
  }
  const slot = trail.next;
  trail.tMs[slot] = point.tMs;
  trail.latDeg[slot] = point.latDeg;
  trail.lonDeg[slot] = point.lonDeg;
  trail.vx[slot] = point.vx;
  trail.vy[slot] = point.vy;
  trail.variance[slot] = point.pp;
  trail.sag[slot] = sag;
  trail.next = (slot + 1) % TRAIL_CAPACITY;
  if (trail.count < TRAIL_CAPACITY) trail.count++;
}

/** Forgets everything: what comes next is not joined to it. */
export function clearTrail(trail: PositionTrail): void {
  trail.count = 0;
}

/**
 * Where the party was at a time, by a cubic Hermite curve between the estimates before and after it. Undefined when the
 * time lies before the oldest; the newest stands for what comes after it.
 */
export function placeOnTrail(trail: PositionTrail, tMs: number): TrailPlace | undefined {
  let after = -1;
  for (let back = 0; back < trail.count; back++) {
    const slot = slotBack(trail, back);
    if (trail.tMs[slot]! <= tMs)
      return after < 0 ? placeAt(trail, slot) : placeBetween(trail, slot, after, tMs);
    after = slot;
  }
  return undefined;
}

/** Slot of the estimate that is `back` before the newest. */
export function slotBack(trail: PositionTrail, back: number): number {
  return (trail.next - 1 - back + 2 * TRAIL_CAPACITY) % TRAIL_CAPACITY;
}

function placeAt(trail: PositionTrail, slot: number): TrailPlace {
  return {
    latDeg: trail.latDeg[slot]!,
    lonDeg: trail.lonDeg[slot]!,
    variance: trail.variance[slot]!,
    sag: trail.sag[slot]!,
  };
}

function placeBetween(trail: PositionTrail, a: number, b: number, tMs: number): TrailPlace {
  const spanS = (trail.tMs[b]! - trail.tMs[a]!) / 1000;
  const u = (tMs - trail.tMs[a]!) / 1000 / spanS;
  const perLon = metresPerDegreeLon(trail.latDeg[a]!);
  const toEnd = u * u * (3 - 2 * u);
  const startSlope = u * (1 - u) * (1 - u) * spanS;
  const endSlope = -u * u * (1 - u) * spanS;
  const east =
    toEnd * lonDelta(trail.lonDeg[a]!, trail.lonDeg[b]!) * perLon +
    startSlope * trail.vx[a]! +
    endSlope * trail.vx[b]!;
  const north =
    toEnd * (trail.latDeg[b]! - trail.latDeg[a]!) * METRES_PER_DEGREE +
    startSlope * trail.vy[a]! +
    endSlope * trail.vy[b]!;
  const sag = Math.max(trail.sag[a]!, trail.sag[b]!);
  const sagM = sag * u * (1 - u) * spanS * spanS;
  return {
    latDeg: trail.latDeg[a]! + north / METRES_PER_DEGREE,
    lonDeg: wrapLon(trail.lonDeg[a]! + east / perLon),
    variance: (1 - u) * trail.variance[a]! + u * trail.variance[b]! + sagM * sagM,
    sag,
  };
}

/** The sag of places reached with, or without, a measured velocity. */
export function sagOf(velocityKnown: boolean): number {
  return velocityKnown ? K.sagM : K.sagBareM;
}
