import { fromE7, lonDelta, METRES_PER_DEGREE, toE7, wrapLon } from "../../core/geo.ts";
import { metresPerDegreeLon } from "./kalman.ts";
import { POSITION_TUNING as K } from "./position-tuning.ts";

/** Places kept; the oldest leaves. At least a minute, as they are about a second apart or more. */
export const TRAIL_CAPACITY = 64;
/** Places further back than this are not looked at, milliseconds. */
export const TRAIL_SPAN_MS = 90_000;
/** Places closer in time are left out, milliseconds. */
const SPACING_MS = 950;

/** Numbers per place: see {@link PositionTrail}. */
export const PLACE_NUMBERS = 5;
/** Times are kept as differences that fit into 32 bits. */
const MAX_AGE_MS = 0x7fff_ffff;

/**
 * A ring of recent estimates, for late fixes. Integers side by side, so that a place is in one line of the processor's
 * cache and a snapshot holds exactly what is here. Slot i starts at i × PLACE_NUMBERS: milliseconds since `baseMs`;
 * latitude × 1e7; longitude × 1e7; velocity in cm/s, east in the upper 16 bits and north in the lower; standard deviation
 * per axis in centimetres × 2, plus 1 when the velocity was measured.
 */
export type PositionTrail = {
  /** Slot that is written next. */
  next: number;
  /** Slots in use. */
  count: number;
  baseMs: number;
  /** Time of the newest place, milliseconds. */
  newestMs: number;
  numbers: Int32Array;
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
    baseMs: 0,
    newestMs: 0,
    numbers: new Int32Array(TRAIL_CAPACITY * PLACE_NUMBERS),
  };
}

type Point = { tMs: number; latDeg: number; lonDeg: number; vx: number; vy: number; pp: number };

/** Adds the newest estimate. One older than the newest kept means that time began anew: the trail does too. */
export function pushTrail(trail: PositionTrail, point: Point, moving: boolean): void {
  if (trail.count > 0) {
    const sinceMs = point.tMs - trail.newestMs;
    if (sinceMs < 0 || point.tMs - trail.baseMs > MAX_AGE_MS) trail.count = 0;
    else if (sinceMs < SPACING_MS) return;
  }
  if (trail.count === 0) trail.baseMs = point.tMs;
  trail.newestMs = point.tMs;
  const { numbers, next } = trail;
  const at = next * PLACE_NUMBERS;
  const vx = clamp(Math.round(100 * point.vx), -32_767, 32_767);
  const vy = clamp(Math.round(100 * point.vy), -32_767, 32_767);
  numbers[at] = point.tMs - trail.baseMs;
  numbers[at + 1] = toE7(point.latDeg);
  numbers[at + 2] = toE7(point.lonDeg);
  numbers[at + 3] = (vx << 16) | (vy & 0xffff);
  numbers[at + 4] = 2 * clamp(Math.round(100 * Math.sqrt(point.pp)), 1, 1e6) + (moving ? 1 : 0);
  trail.next = next + 1 === TRAIL_CAPACITY ? 0 : next + 1;
  if (trail.count < TRAIL_CAPACITY) trail.count++;
}

/** Time of the place in a slot, milliseconds. */
export function trailTimeMs(trail: PositionTrail, slot: number): number {
  return trail.baseMs + trail.numbers[slot * PLACE_NUMBERS]!;
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
  if (trail.count === 0 || trail.newestMs - tMs > TRAIL_SPAN_MS) return undefined;
  let after = -1;
  for (let back = 0; back < trail.count; back++) {
    const slot = slotBack(trail, back);
    if (trailTimeMs(trail, slot) <= tMs)
      return after < 0 ? placeAt(trail, slot) : placeBetween(trail, slot, after, tMs);
    after = slot;
  }
  return undefined;
}

/** Slot of the estimate that is `back` before the newest. */
export function slotBack(trail: PositionTrail, back: number): number {
  const slot = trail.next - 1 - back;
  return slot < 0 ? slot + TRAIL_CAPACITY : slot;
}

function placeAt({ numbers }: PositionTrail, slot: number): TrailPlace {
  const at = slot * PLACE_NUMBERS;
  const sigmaM = (numbers[at + 4]! >> 1) / 100;
  return {
    latDeg: fromE7(numbers[at + 1]!),
    lonDeg: fromE7(numbers[at + 2]!),
    variance: sigmaM * sigmaM,
    moving: (numbers[at + 4]! & 1) === 1,
  };
}

function placeBetween(trail: PositionTrail, a: number, b: number, tMs: number): TrailPlace {
  const fromMs = trailTimeMs(trail, a);
  const spanS = (trailTimeMs(trail, b) - fromMs) / 1000;
  const u = (tMs - fromMs) / 1000 / spanS;
  const [from, to] = [placeAt(trail, a), placeAt(trail, b)];
  const [va, vb] = [trail.numbers[a * PLACE_NUMBERS + 3]!, trail.numbers[b * PLACE_NUMBERS + 3]!];
  const perLon = metresPerDegreeLon(from.latDeg);
  const toEnd = u * u * (3 - 2 * u);
  const startSlope = (u * (1 - u) * (1 - u) * spanS) / 100;
  const endSlope = (-u * u * (1 - u) * spanS) / 100;
  const east =
    toEnd * lonDelta(from.lonDeg, to.lonDeg) * perLon + startSlope * (va >> 16) + endSlope * (vb >> 16);
  const north =
    toEnd * (to.latDeg - from.latDeg) * METRES_PER_DEGREE + startSlope * lower(va) + endSlope * lower(vb);
  const moving = from.moving && to.moving;
  const sagM = (moving ? K.sagM : K.sagBareM) * u * (1 - u) * spanS * spanS;
  return {
    latDeg: from.latDeg + north / METRES_PER_DEGREE,
    lonDeg: wrapLon(from.lonDeg + east / perLon),
    variance: (1 - u) * from.variance + u * to.variance + sagM * sagM,
    moving,
  };
}

/** The lower 16 bits, with their sign. */
function lower(pair: number): number {
  return (pair << 16) >> 16;
}

function clamp(value: number, least: number, most: number): number {
  return value < least ? least : value > most ? most : value;
}
