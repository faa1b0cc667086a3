import type { Fix } from "../../core/fix.ts";
import { lonDelta, METRES_PER_DEGREE } from "../../core/geo.ts";
import type { Measurement } from "./measurement.ts";
import type { PositionState } from "./position-state.ts";
import { POSITION_TUNING as K } from "./position-tuning.ts";

/**
 * Takes note of an accepted fix: the mean velocity of the places, and whether the reported velocity goes with it. One
 * that doesn't (stuck at zero, other units, a compass instead of a course) is not believed until it does again.
 */
export function noteAccepted(
  state: PositionState,
  fix: Fix,
  m: Measurement,
  tMs: number,
  perLon: number,
): void {
  const dt = (tMs - state.okTMs) / 1000;
  if (dt > 0) {
    const vx = (lonDelta(state.okLonDeg, fix.lonDeg) * perLon) / dt;
    const vy = ((fix.latDeg - state.okLatDeg) * METRES_PER_DEGREE) / dt;
    const part = dt / (K.coastS + dt);
    state.meanVx += part * (vx - state.meanVx);
    state.meanVy += part * (vy - state.meanVy);
    if (!Number.isNaN(m.vx) && !Number.isNaN(state.okVx)) compare(state, m, vx, vy, dt);
  }
  anchor(state, fix, m, tMs);
}

/** The place and reported velocity from which the next accepted fix is judged. */
export function anchor(state: PositionState, fix: Fix, m: Measurement, tMs: number): void {
  state.okLatDeg = fix.latDeg;
  state.okLonDeg = fix.lonDeg;
  state.okTMs = tMs;
  state.okVx = m.vx;
  state.okVy = m.vy;
}

function compare(state: PositionState, m: Measurement, vx: number, vy: number, dt: number): void {
  const part = dt / (K.trustS + dt);
  state.biasVx += part * (vx - (m.vx + state.okVx) / 2 - state.biasVx);
  state.biasVy += part * (vy - (m.vy + state.okVy) / 2 - state.biasVy);
  const bias = Math.sqrt(state.biasVx * state.biasVx + state.biasVy * state.biasVy);
  const limit = K.trustMps + K.trustShare * Math.sqrt(m.vx * m.vx + m.vy * m.vy) + (3 * m.sigmaM) / K.trustS;
  if (state.trusted ? bias > limit : bias < limit / 2) state.trusted = !state.trusted;
}
