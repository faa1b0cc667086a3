import { createPositionTrail, type PositionTrail } from "./position-trail.ts";

/**
 * What the filter knows of one party. Plain numbers of one shape; velocities are metres per second east (x) and north
 * (y). The noise is the same in all directions, so the two axes share one covariance of place and velocity.
 */
export type PositionState = {
  /** False before the first fix. */
  ready: boolean;
  /** Time of the estimate, corrected device time, milliseconds. */
  tMs: number;
  latDeg: number;
  lonDeg: number;
  vx: number;
  vy: number;
  /** Variances and covariance per axis: place m², place and velocity m²/s, velocity m²/s². */
  pp: number;
  pv: number;
  vv: number;

  /** The last fix as it came, accepted or not. */
  rawLatDeg: number;
  rawLonDeg: number;
  rawTMs: number;
  /** Its reported velocity; NaN when it had none. */
  rawVx: number;
  rawVy: number;
  /** It said that the car stands. */
  standing: boolean;
  /** Time of the last fix at another place than the one before it. */
  freshTMs: number;

  /** The last accepted fix and its reported velocity, NaN when it had none. */
  okLatDeg: number;
  okLonDeg: number;
  okTMs: number;
  okVx: number;
  okVy: number;
  /** Mean velocity of the accepted places. */
  meanVx: number;
  meanVy: number;

  /** Mean difference between the way travelled and the reported velocity. */
  biasVx: number;
  biasVy: number;
  /** The reported velocity is believed. */
  trusted: boolean;

  /** Mean difference between fix and prediction, metres. */
  leanX: number;
  leanY: number;
  /** Mean square of it without velocity, m². */
  roughM2: number;
  /** Distance from which the last fix passed the gate when that was far; else 0. */
  doubtM: number;

  /** Fixes that the place rests on, at most 3. */
  support: number;
  /** Rejections in a row. */
  rejected: number;
  /** Points of the rival; 0 when there is none. */
  rivalPoints: number;
  rivalSinceMs: number;
  rivalTMs: number;
  rivalLatDeg: number;
  rivalLonDeg: number;

  trail: PositionTrail;
};

/** A party before its first fix. */
export function createPositionState(): PositionState {
  return {
    ready: false,
    tMs: 0,
    latDeg: 0,
    lonDeg: 0,
    vx: 0,
    vy: 0,
    pp: 0,
    pv: 0,
    vv: 0,
    rawLatDeg: 0,
    rawLonDeg: 0,
    rawTMs: 0,
    rawVx: Number.NaN,
    rawVy: Number.NaN,
    standing: false,
    freshTMs: 0,
    okLatDeg: 0,
    okLonDeg: 0,
    okTMs: 0,
    okVx: Number.NaN,
    okVy: Number.NaN,
    meanVx: 0,
    meanVy: 0,
    biasVx: 0,
    biasVy: 0,
    trusted: true,
    leanX: 0,
    leanY: 0,
    roughM2: 0,
    doubtM: 0,
    support: 0,
    rejected: 0,
    rivalPoints: 0,
    rivalSinceMs: 0,
    rivalTMs: 0,
    rivalLatDeg: 0,
    rivalLonDeg: 0,
    trail: createPositionTrail(),
  };
}
