import { fromE7, lonDelta, METRES_PER_DEGREE, toE7, wrapLon } from "../../core/geo.ts";
import { metresPerDegreeLon } from "./kalman.ts";
import { POSITION_TUNING as K } from "./position-tuning.ts";

/** Places kept; the oldest leaves. At least a minute, as they are about a second apart or more. */
export const TRAIL_CAPACITY = 64;
/** Places further back than this are not looked at, milliseconds. */
export const TRAIL_SPAN_MS = 90_000;
/** Places closer in time are left out, milliseconds. */
const SPACING_MS = 950;

/**
 * A ring of recent estimates, for late fixes. The place at slot i has its numbers at the same i of every array. Integers,
 * so that a snapshot holds exactly what is here in few bytes.
 */
export type PositionTrail = {
  /** Slot that is written next. */
  next: number;
  /** Slots in use. */
  count: number;
  tMs: Float64Array;
  latE7: Int32Array;
  lonE7: Int32Array;
  /** Velocity east and north, cm/s. */
  vxCmps: Int16Array;
  vyCmps: Int16Array;
  /** Standard deviation of the place per axis, centimetres. */
  sigmaCm: Uint16Array;
  /** 1 when the velocity was measured. */
  moving: Uint8Array;
};

/** A place on the trail, and how sure it is. */
export type TrailPlace = {
  latDeg: number;
  lonDeg: number;
  /** Per axis, m². */
  variance: number;
  /** The velocity is known at both ends. */
  moving: boolean;
};

export function createPositionTrail(): PositionTrail {
  return {
    next: 0,
    count: 0,
    tMs: new Float64Array(TRAIL_CAPACITY),
    latE7: new Int32Array(TRAIL_CAPACITY),
    lonE7: new Int32Array(TRAIL_CAPACITY),
    vxCmps: new Int16Array(TRAIL_CAPACITY),
    vyCmps: new Int16Array(TRAIL_CAPACITY),
    sigmaCm: new Uint16Array(TRAIL_CAPACITY),
    moving: new Uint8Array(TRAIL_CAPACITY),
  };
}

type Point = { tMs: number; latDeg: number; lonDeg: number; vx: number; vy: number; pp: number };

/** Adds the newest estimate. One older than the newest kept means that time began anew: the trail does too. */
export function pushTrail(trail: PositionTrail, point: Point, moving: boolean): void {
  if (trail.count > 0) {
    const sinceMs = point.tMs - trail.tMs[slotBack(trail, 0)]!;
    if (sinceMs < 0) trail.count = 0;
    else if (sinceMs < SPACING_MS) return;
  }
  const slot = trail.next;
  trail.tMs[slot] = point.tMs;
  trail.latE7[slot] = toE7(point.latDeg);
  trail.lonE7[slot] = toE7(point.lonDeg);
  trail.vxCmps[slot] = clamp(Math.round(100 * point.vx), -32_767, 32_767);
  trail.vyCmps[slot] = clamp(Math.round(100 * point.vy), -32_767, 32_767);
  trail.sigmaCm[slot] = clamp(Math.round(100 * Math.sqrt(point.pp)), 1, 65_535);
  trail.moving[slot] = moving ? 1 : 0;
  trail.next = (slot + 1) % TRAIL_CAPACITY;
  if (trail.count < TRAIL_CAPACITY) trail.count++;
}

/** Forgets everything: what comes next is not joined to it. */
export function clearTrail(trail: PositionTrail): void {
  trail.count = 0;
}

/**
 * Where the party was at a time, by a cubic Hermite curve between the estimates before and after it. Undefined when the
 * time lies before the oldest, or too far back; the newest stands for what comes after it.
 */
export function placeOnTrail(trail: PositionTrail, tMs: number): TrailPlace | undefined {
  if (trail.count === 0 || trail.tMs[slotBack(trail, 0)]! - tMs > TRAIL_SPAN_MS) return undefined;
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
    latDeg: fromE7(trail.latE7[slot]!),
    lonDeg: fromE7(trail.lonE7[slot]!),
    variance: varianceAt(trail, slot),
    moving: trail.moving[slot] === 1,
  };
}

function placeBetween(trail: PositionTrail, a: number, b: number, tMs: number): TrailPlace {
  const spanS = (trail.tMs[b]! - trail.tMs[a]!) / 1000;
  const u = (tMs - trail.tMs[a]!) / 1000 / spanS;
  const [from, to] = [placeAt(trail, a), placeAt(trail, b)];
  const perLon = metresPerDegreeLon(from.latDeg);
  const toEnd = u * u * (3 - 2 * u);
  const startSlope = (u * (1 - u) * (1 - u) * spanS) / 100;
  const endSlope = (-u * u * (1 - u) * spanS) / 100;
  const bentX = startSlope * trail.vxCmps[a]! + endSlope * trail.vxCmps[b]!;
  const bentY = startSlope * trail.vyCmps[a]! + endSlope * trail.vyCmps[b]!;
  const east = toEnd * lonDelta(from.lonDeg, to.lonDeg) * perLon + bentX;
  const north = toEnd * (to.latDeg - from.latDeg) * METRES_PER_DEGREE + bentY;
  const moving = from.moving && to.moving;
  const sagM = (moving ? K.sagM : K.sagBareM) * u * (1 - u) * spanS * spanS;
  return {
    latDeg: from.latDeg + north / METRES_PER_DEGREE,
    lonDeg: wrapLon(from.lonDeg + east / perLon),
    variance: (1 - u) * from.variance + u * to.variance + sagM * sagM,
    moving,
  };
}

function varianceAt(trail: PositionTrail, slot: number): number {
  const sigmaM = trail.sigmaCm[slot]! / 100;
  return sigmaM * sigmaM;
}

function clamp(value: number, least: number, most: number): number {
  return value < least ? least : value > most ? most : value;
}
