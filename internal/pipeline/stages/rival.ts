import type { Fix } from "../../core/fix.ts";
import { lonDelta, METRES_PER_DEGREE } from "../../core/geo.ts";
import type { Measurement } from "./measurement.ts";
import type { PositionState } from "./position-state.ts";
import { POSITION_TUNING as K } from "./position-tuning.ts";

/**
 * Takes note of a rejected fix. Rejected fixes that agree among themselves are the rival of the filter's own place; when
 * they have agreed for long enough they are right and the filter was wrong: true is returned, and the caller starts anew
 * at this fix. So is it after too many rejections of whatever kind: the gate never starves.
 */
export function noteRejected(
  state: PositionState,
  fix: Fix,
  m: Measurement,
  tMs: number,
  perLon: number,
): boolean {
  const points = agreement(state, fix, m, tMs, perLon);
  state.rejected++;
  if (points > 0) state.rivalPoints += points;
  else {
    state.rivalPoints = 2;
    state.rivalSinceMs = tMs;
  }
  state.rivalTMs = tMs;
  state.rivalLatDeg = fix.latDeg;
  state.rivalLonDeg = fix.lonDeg;
  if (state.rejected >= K.starvedFixes || tMs - state.okTMs > K.starvedMs) return true;
  const lasts = tMs - state.rivalSinceMs >= K.rivalSpanMs && m.sigmaM < K.coarseM;
  return points > 0 && state.rivalPoints >= (lasts || state.support < 2 ? K.rivalPointsFew : K.rivalPoints);
}

/** Seconds and metres from the rival's last fix to this one. */
export function rivalStep(state: PositionState, fix: Fix, tMs: number, perLon: number) {
  return {
    dt: Math.max(0.1, (tMs - state.rivalTMs) / 1000),
    east: lonDelta(state.rivalLonDeg, fix.lonDeg) * perLon,
    north: (fix.latDeg - state.rivalLatDeg) * METRES_PER_DEGREE,
  };
}

/** 2: goes on from the rival's last fix as the velocity says, or as a car can when none is known. 1: as a car can. */
function agreement(state: PositionState, fix: Fix, m: Measurement, tMs: number, perLon: number): 0 | 1 | 2 {
  if (state.rivalPoints === 0) return 0;
  const { dt, east, north } = rivalStep(state, fix, tMs, perLon);
  const noise = 3 * Math.SQRT2 * m.sigmaM;
  if (m.moving && Math.hypot(east - m.vx * dt, north - m.vy * dt) <= noise + K.rivalOffMps * dt + 3) return 2;
  if (Math.hypot(east, north) > noise + K.rivalMps * dt) return 0;
  return m.moving ? 1 : 2;
}
