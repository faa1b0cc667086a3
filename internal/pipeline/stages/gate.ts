import type { Measurement } from "./measurement.ts";
import type { PositionState } from "./position-state.ts";
import { POSITION_TUNING as K } from "./position-tuning.ts";

/**
 * Distance from the prediction, metres, up to which a fix is believed. It follows what the filter itself expects, and
 * what it can't know: how the car went between two fixes, rounded time stamps, stale places.
 * @param wideM how far the way may have bent between two measured velocities
 */
export function gateM(state: PositionState, m: Measurement, tMs: number, dt: number, wideM: number): number {
  const r = m.sigmaM * m.sigmaM * (m.moving && m.standing && state.standing ? standingWeight(m) : 1);
  let reach = Math.sqrt(K.gate * (state.pp + wideM * wideM + r));
  const coarse = m.sigmaM >= K.coarseM;
  if (m.moving) {
    if (!coarse) reach += Math.min(K.stampSlackS * m.speedMps, K.stampSlackM);
    const ceiling = K.gateCeilingM + K.gateCeilingMps * dt + (coarse ? Math.sqrt(K.gate) * m.sigmaM : 0);
    if (dt < K.gateCeilingS && reach > ceiling) reach = ceiling;
  } else reach = bareGateM(state, m, tMs, dt, reach);
  if (state.doubtM > 0) reach = Math.max(reach, K.doubtGate * state.doubtM);
  return Math.max(reach, m.moving ? K.gateFloorM : K.gateFloorBareM);
}

/** Without measured velocity: what a car can do, what this receiver usually does, and how long its place was stale. */
function bareGateM(state: PositionState, m: Measurement, tMs: number, dt: number, expectedM: number): number {
  const staleMs = tMs - state.freshTMs;
  let reach = Math.max(expectedM + 0.5 * K.reachMps2 * dt * dt, K.roughGate * Math.sqrt(state.roughM2));
  if (state.freshTMs < state.rawTMs) reach = Math.max(reach, (K.rivalMps * Math.min(2_000, staleMs)) / 1000);
  if (m.speedMps >= 1) reach = Math.max(reach, (1.3 * m.speedMps * staleMs) / 1000);
  return reach;
}

/** How much less a fix of a standing car weighs; coarse ones are averaged all the same. */
export function standingWeight(m: Measurement): number {
  return m.sigmaM < K.coarseM ? K.standingWeight : 1;
}
