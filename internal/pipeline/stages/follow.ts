import type { Fix } from "../../core/fix.ts";
import { lonDelta, METRES_PER_DEGREE } from "../../core/geo.ts";
import { gateM, standingWeight } from "./gate.ts";
import { metresPerDegreeLon, predict, shift, updatePlace, updateVelocity } from "./kalman.ts";
import { type Measurement, velocitySigma } from "./measurement.ts";
import type { PositionState } from "./position-state.ts";
import { POSITION_TUNING as K } from "./position-tuning.ts";
import { noteRejected, rivalStep } from "./rival.ts";
import { anchor, noteAccepted } from "./trust.ts";

/** The place is that of the fix, and nothing is known of the velocity. */
export function restart(state: PositionState, fix: Fix, m: Measurement, tMs: number): void {
  state.ready = true;
  state.tMs = tMs;
  state.latDeg = fix.latDeg;
  state.lonDeg = fix.lonDeg;
  state.vx = state.vy = state.pv = 0;
  state.pp = m.sigmaM * m.sigmaM;
  state.vv = K.velocityPriorMps * K.velocityPriorMps;
  state.support = 1;
  state.rejected = state.rivalPoints = 0;
  state.leanX = state.leanY = state.doubtM = 0;
  anchor(state, fix, m, tMs);
}

/** Predicts to the time of the fix and takes it in, or not. False when the prediction stands. */
export function follow(state: PositionState, fix: Fix, m: Measurement, tMs: number): boolean {
  const dt = Math.max(0, (tMs - state.tMs) / 1000);
  const perLon = metresPerDegreeLon(state.latDeg);
  const wideM = advance(state, m, tMs, dt, perLon);
  if (m.repeated && m.moving && m.speedMps >= 1 && tMs - state.freshTMs < 1000 * K.staleS) return true;
  if (m.repeated && !m.moving && fix.latDeg === state.okLatDeg && fix.lonDeg === state.okLonDeg) {
    rest(state, fix, m);
    noteAccepted(state, fix, m, tMs, perLon);
    return true;
  }
  const east = lonDelta(state.lonDeg, fix.lonDeg) * perLon;
  const north = (fix.latDeg - state.latDeg) * METRES_PER_DEGREE;
  const distance = Math.sqrt(east * east + north * north);
  const reach = gateM(state, m, tMs, dt, wideM);
  if (!m.moving) state.roughM2 += 0.1 * (Math.min(distance, K.roughCapM) ** 2 - state.roughM2);
  if (distance > reach) return reject(state, fix, m, tMs, dt, perLon);
  accept(state, m, dt, east, north, distance, perLon);
  noteAccepted(state, fix, m, tMs, perLon);
  return true;
}

/** Predicts, then takes in the reported velocity. Returns how far the way may have bent unseen, for the gate. */
function advance(state: PositionState, m: Measurement, tMs: number, dt: number, perLon: number): number {
  const hold = m.moving && m.standing && state.standing;
  const between = m.moving && dt > 0 && !Number.isNaN(state.rawVx);
  const span = dt > 0.5 ? dt : 0.5;
  const dvx = between ? m.vx - state.rawVx : 0;
  const dvy = between ? m.vy - state.rawVy : 0;
  const dv2 = dvx * dvx + dvy * dvy;
  let q: number = K.accelerationNoiseBare;
  if (between && hold) q = K.accelerationNoiseStanding;
  else if (between)
    q = Math.min(K.accelerationNoiseMax, K.accelerationNoise + (K.turnShare * dv2) / (2 * span));
  predict(state, dt, q, hold ? 0 : K.placeNoise, perLon);
  state.tMs = tMs;
  if (!m.moving) return 0;
  const lead = between && !m.standing ? K.velocityLagS / span : 0;
  const lag = lead > 0 ? K.velocityLagSigmaS * Math.min(6, Math.sqrt(dv2) / span) : 0;
  updateVelocity(state, m.vx + lead * dvx, m.vy + lead * dvy, velocitySigma(m) + lag, perLon);
  if (!between || hold) return 0;
  const sumX = m.vx + state.rawVx;
  const sumY = m.vy + state.rawVy;
  const pace = 0.5 * Math.sqrt(sumX * sumX + sumY * sumY);
  const wideM = K.bendWideM * dt * dt * (pace > 10 ? Math.max(0.4, 10 / pace) : 1);
  const bendM = Math.min(K.bendM * dt * dt * dt, wideM);
  state.pp += bendM * bendM;
  return wideM;
}

/** The place repeats and nothing is known of the motion: the car rests there, until it doesn't. */
function rest(state: PositionState, fix: Fix, m: Measurement): void {
  state.latDeg = fix.latDeg;
  state.lonDeg = fix.lonDeg;
  state.vx = state.vy = state.pv = 0;
  state.pp = m.sigmaM * m.sigmaM;
  state.vv = 100;
  state.rejected = state.rivalPoints = state.doubtM = 0;
}

function accept(
  state: PositionState,
  m: Measurement,
  dt: number,
  east: number,
  north: number,
  distance: number,
  perLon: number,
): void {
  const hold = m.moving && m.standing && state.standing;
  const coarse = m.sigmaM >= K.coarseM;
  let r = m.sigmaM * m.sigmaM * (hold ? standingWeight(m) : 1);
  state.doubtM = !coarse && distance > (m.moving ? K.doubtM : K.doubtBareM) ? distance : 0;
  // What the fix's own noise can't explain is the model's fault.
  const surprise = (distance * distance) / 2 - K.surprise * r - state.pp;
  if (surprise > 0) {
    state.pp += surprise;
    if (!m.moving && dt > 0) {
      state.pv += (2 * surprise) / dt;
      state.vv += (4 * surprise) / (dt * dt);
    }
  }
  if (m.moving && !hold) {
    if (coarse) r *= K.coarseWeight;
    straighten(state, m, dt, east, north, r);
  }
  updatePlace(state, east, north, r, m.moving || dt === 0 ? Number.POSITIVE_INFINITY : 1 / dt, perLon);
  state.rejected = state.rivalPoints = 0;
  if (state.support < 3) state.support++;
}

/** Fixes that lie on the same side of the prediction for long mean that the velocity is a little wrong: follow faster. */
function straighten(
  state: PositionState,
  m: Measurement,
  dt: number,
  east: number,
  north: number,
  r: number,
): void {
  const part = dt / (K.leanS + dt);
  state.leanX += part * (east - state.leanX);
  state.leanY += part * (north - state.leanY);
  const coarse = m.sigmaM >= K.coarseM;
  const limit = (coarse ? K.leanCoarse : K.lean) * m.sigmaM;
  if (state.leanX * state.leanX + state.leanY * state.leanY <= limit * limit) return;
  state.pp = Math.max(state.pp, (coarse ? K.leanGainCoarse * Math.min(dt, 4) : K.leanGain) * r);
}

/** True when the rejected fixes turn out to be right: the filter then starts anew at this one. */
function reject(
  state: PositionState,
  fix: Fix,
  m: Measurement,
  tMs: number,
  dt: number,
  perLon: number,
): boolean {
  if (!m.moving) {
    shift(state, (state.meanVx - state.vx) * dt, (state.meanVy - state.vy) * dt, perLon);
    state.vx = state.meanVx;
    state.vy = state.meanVy;
  }
  const step = rivalStep(state, fix, tMs, perLon);
  const sinceOkS = Math.max(0.1, (tMs - state.okTMs) / 1000);
  const okVx = (lonDelta(state.okLonDeg, fix.lonDeg) * perLon) / sinceOkS;
  const okVy = ((fix.latDeg - state.okLatDeg) * METRES_PER_DEGREE) / sinceOkS;
  if (!noteRejected(state, fix, m, tMs, perLon)) return false;
  const vx = step.east / step.dt;
  const vy = step.north / step.dt;
  restart(state, fix, m, tMs);
  state.support = 2;
  if (m.moving) updateVelocity(state, m.vx, m.vy, K.velocitySigmaMps + 0.02 * m.speedMps, perLon);
  else {
    state.vx = state.meanVx = vx;
    state.vy = state.meanVy = vy;
    state.vv = (2 * state.pp) / (step.dt * step.dt) + K.accelerationNoiseBare * step.dt;
    state.pv = state.pp / step.dt;
  }
  const limit = 3 + 0.3 * Math.hypot(m.vx, m.vy) + (3 * Math.SQRT2 * m.sigmaM) / step.dt;
  const off = Math.hypot(vx - m.vx, vy - m.vy);
  if (off > limit || (m.standing && Math.hypot(okVx, okVy) > limit)) {
    state.trusted = false;
    state.biasVx = vx - m.vx;
    state.biasVy = vy - m.vy;
  }
  return true;
}
