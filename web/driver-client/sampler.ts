import type { WantedRate } from "./driver-state.ts";
import type { Position } from "./position.ts";

/** Devices give positions a little early or late: so much of the interval is forgiven. */
const TOLERANCE = 0.1;
/** What changed is told no sooner than this after the last fix, milliseconds; the contract's shortest interval is half of it. */
const CHANGE_MS = 1_000;
/** A turn that shows on a map, degrees. */
const TURN_DEG = 30;
/** Below, a heading means nothing, and above, a car is not standing; m/s. */
const MOVING_MPS = 1.5;

/**
 * Thins out what a device gives to what is wanted: a position is taken when the wanted interval has passed, and, at most once
 * a second, when the car turned by 30° or more, stopped or set off since the last one taken.
 */
export class Sampler {
  #last: { atMs: number; headingDeg: number | undefined; isMoving: boolean } | undefined;

  /** True when the position is to be sent. */
  takes(position: Position, atMs: number, { intervalMs }: WantedRate): boolean {
    const { speedMps, headingDeg } = position;
    const isMoving = speedMps !== undefined && speedMps >= MOVING_MPS;
    const last = this.#last;
    const sinceMs = last ? atMs - last.atMs : Number.POSITIVE_INFINITY;
    const isDue = sinceMs >= intervalMs * (1 - TOLERANCE) || sinceMs < 0;
    const changed =
      last !== undefined &&
      sinceMs >= CHANGE_MS &&
      speedMps !== undefined &&
      (isMoving !== last.isMoving || (isMoving && turnDeg(headingDeg, last.headingDeg) >= TURN_DEG));
    if (!isDue && !changed) return false;
    this.#last = { atMs, headingDeg: isMoving ? headingDeg : last?.headingDeg, isMoving };
    return true;
  }
}

/** Angle between two headings, 0 to 180; 0 when one is not known. */
function turnDeg(a: number | undefined, b: number | undefined): number {
  if (a === undefined || b === undefined) return 0;
  return Math.abs(((a - b + 540) % 360) - 180);
}
