import { distanceM } from "./flat-earth.ts";

/** One known place of a car. Times in milliseconds of one clock (server time, or the time of a recording). */
export type MotionPoint = {
  tMs: number;
  latDeg: number;
  lonDeg: number;
  /** Clockwise from north, 0…360; undefined while unknown. */
  headingDeg?: number | undefined;
  /** Undefined while unknown. */
  speedMps?: number | undefined;
};

/** Points kept; beyond, the oldest leave. */
export const MAX_POINTS = 400;
/** A car that would have to be faster than this (288 km/h) did not drive that line. */
export const MAX_SPEED_MPS = 80;
/** Over a silence longer than this … */
export const MAX_GAP_MS = 20_000;
/** … a line longer than this is not driven on the map: it would lead through houses. */
export const MAX_GAP_M = 120;

/** Where a car was, in order of time. Pure data with insertion; no clock of its own. */
export class Track {
  #points: MotionPoint[] = [];

  get points(): readonly MotionPoint[] {
    return this.#points;
  }

  get newest(): MotionPoint | undefined {
    return this.#points.at(-1);
  }

  /** Puts a point at its place in time. One of a time that is there already replaces the old one. */
  insert(point: MotionPoint): void {
    if (!Number.isFinite(point.tMs) || !Number.isFinite(point.latDeg) || !Number.isFinite(point.lonDeg))
      return;
    const at = this.indexAfter(point.tMs);
    const before = this.#points[at - 1];
    if (before?.tMs === point.tMs) this.#points[at - 1] = merge(before, point);
    else this.#points.splice(at, 0, point);
    if (this.#points.length > MAX_POINTS) this.#points.splice(0, this.#points.length - MAX_POINTS);
  }

  clear(): void {
    this.#points = [];
  }

  /** Index of the first point later than `tMs`. */
  indexAfter(tMs: number): number {
    let low = 0;
    let high = this.#points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#points[middle]!.tMs <= tMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A trail point knows less than the position of the same time: what it lacks stays. */
function merge(old: MotionPoint, next: MotionPoint): MotionPoint {
  return {
    ...next,
    headingDeg: next.headingDeg ?? old.headingDeg,
    speedMps: next.speedMps ?? old.speedMps,
  };
}

/** True when nobody can say how the car came from a to b: it is then shown to vanish and to appear. */
export function isCut(a: MotionPoint, b: MotionPoint): boolean {
  const seconds = (b.tMs - a.tMs) / 1000;
  const metres = distanceM(a, b);
  if (seconds <= 0) return metres > 1;
  return metres / seconds > MAX_SPEED_MPS || (b.tMs - a.tMs > MAX_GAP_MS && metres > MAX_GAP_M);
}
