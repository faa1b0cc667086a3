import type { SmootherTuning } from "./smoother-tuning.ts";

/** Fixes of one stretch in local metres and seconds. Both axes share one covariance: the noise is alike in both. */
export type Stretch = {
  n: number;
  hasVelocity: boolean;
  t: Float64Array;
  x: Float64Array;
  y: Float64Array;
  /** Measured velocity, NaN where there is none. */
  vx: Float64Array;
  vy: Float64Array;
  /** 1 where the measured velocity is that of a standing car. */
  still: Uint8Array;
  /** Variance of the place per axis. */
  variance: Float64Array;
  /** Multiplies the variance; infinite: the place has no say. */
  weight: Float64Array;
  /** What the weight is at least. */
  stale: Float64Array;
};

/** State and covariance per fix. */
export type Pass = Columns & { predicted: Columns; dt: Float64Array };
type Columns = {
  x: Float64Array;
  y: Float64Array;
  vx: Float64Array;
  vy: Float64Array;
  /** Variance of place, covariance, variance of velocity. */
  pp: Float64Array;
  pv: Float64Array;
  vv: Float64Array;
};

/** Prior spread of place and velocity: as good as unknown. */
const PRIOR_M2 = 1e6;
const PRIOR_M2_S2 = 400;

function columns(n: number): Columns {
  const column = () => new Float64Array(n);
  return { x: column(), y: column(), vx: column(), vy: column(), pp: column(), pv: column(), vv: column() };
}

function store(to: Columns, i: number, s: State): void {
  to.x[i] = s.x;
  to.y[i] = s.y;
  to.vx[i] = s.vx;
  to.vy[i] = s.vy;
  to.pp[i] = s.pp;
  to.pv[i] = s.pv;
  to.vv[i] = s.vv;
}

type State = { x: number; y: number; vx: number; vy: number; pp: number; pv: number; vv: number };

/**
 * The Kalman filter through the stretch. With `gated`, places far from the prediction lose weight: for the first pass,
 * when nothing is known of what comes after.
 */
export function forward(stretch: Stretch, tuning: SmootherTuning, gated: boolean): Pass {
  const { n, t } = stretch;
  const pass: Pass = { ...columns(n), predicted: columns(n), dt: new Float64Array(n) };
  const s: State = { x: stretch.x[0]!, y: stretch.y[0]!, vx: 0, vy: 0, pp: PRIOR_M2, pv: 0, vv: PRIOR_M2_S2 };
  for (let i = 0; i < n; i++) {
    if (i > 0) predict(s, stretch, i, t[i]! - t[i - 1]!, tuning);
    pass.dt[i] = i > 0 ? t[i]! - t[i - 1]! : 0;
    store(pass.predicted, i, s);
    if (!Number.isNaN(stretch.vx[i])) updateVelocity(s, stretch, i, tuning);
    let r = stretch.variance[i]! * stretch.weight[i]!;
    if (r !== Number.POSITIVE_INFINITY) {
      if (gated) r *= innovationWeight(s, stretch, i, r, tuning);
      updatePlace(s, stretch.x[i]! - s.x, stretch.y[i]! - s.y, r);
    }
    store(pass, i, s);
  }
  return pass;
}

function predict(s: State, stretch: Stretch, i: number, dt: number, tuning: SmootherTuning): void {
  const q = processNoise(stretch, i, dt, tuning);
  s.x += s.vx * dt;
  s.y += s.vy * dt;
  s.pp += dt * (2 * s.pv + dt * s.vv) + (q * dt * dt * dt) / 3;
  s.pv += dt * s.vv + (q * dt * dt) / 2;
  s.vv += q * dt + 1e-9;
  const holds = stretch.still[i] === 1 && stretch.still[i - 1] === 1;
  if (!holds) s.pp += tuning.driftQ * dt;
}

/** A car whose velocity changed between two fixes did so somewhere between them: the more, the less is known. */
function processNoise(stretch: Stretch, i: number, dt: number, tuning: SmootherTuning): number {
  const dvx = stretch.vx[i]! - stretch.vx[i - 1]!;
  const dvy = stretch.vy[i]! - stretch.vy[i - 1]!;
  if (Number.isNaN(dvx)) return tuning.speedlessQ;
  if (stretch.still[i] === 1 && stretch.still[i - 1] === 1) return tuning.stillQ;
  const change2 = dvx * dvx + dvy * dvy;
  return Math.min(tuning.maxQ, tuning.driveQ + (tuning.turnShare * change2) / (2 * Math.max(0.5, dt)));
}

/** The measured velocity, put forward by its lag along the change since the fix before. */
function updateVelocity(s: State, stretch: Stretch, i: number, tuning: SmootherTuning): void {
  let ux = stretch.vx[i]!;
  let uy = stretch.vy[i]!;
  let sigma = stretch.still[i] === 1 ? tuning.stillSigmaMps : tuning.velocitySigmaMps;
  if (stretch.still[i] === 0) {
    if (ux * ux + uy * uy < 1) sigma += tuning.slowSigmaMps;
    const dt = Math.max(0.5, i > 0 ? stretch.t[i]! - stretch.t[i - 1]! : 0.5);
    const ax = i > 0 ? (ux - stretch.vx[i - 1]!) / dt : 0;
    const ay = i > 0 ? (uy - stretch.vy[i - 1]!) / dt : 0;
    if (!Number.isNaN(ax)) {
      ux += tuning.lagS * ax;
      uy += tuning.lagS * ay;
      sigma += tuning.lagSigmaS * Math.min(6, Math.sqrt(ax * ax + ay * ay));
    }
  }
  const total = s.vv + sigma * sigma;
  const kp = s.pv / total;
  const kv = s.vv / total;
  const dx = ux - s.vx;
  const dy = uy - s.vy;
  s.x += kp * dx;
  s.y += kp * dy;
  s.vx += kv * dx;
  s.vy += kv * dy;
  s.pp -= kp * s.pv;
  s.pv -= kp * s.vv;
  s.vv -= kv * s.vv;
}

function updatePlace(s: State, dx: number, dy: number, r: number): void {
  const total = s.pp + r;
  const kp = s.pp / total;
  const kv = s.pv / total;
  s.x += kp * dx;
  s.y += kp * dy;
  s.vx += kv * dx;
  s.vy += kv * dy;
  s.vv -= kv * s.pv;
  s.pv -= kp * s.pv;
  s.pp -= kp * s.pp;
}

function innovationWeight(s: State, stretch: Stretch, i: number, r: number, tuning: SmootherTuning): number {
  const dx = stretch.x[i]! - s.x;
  const dy = stretch.y[i]! - s.y;
  const misfit = (dx * dx + dy * dy) / 2 / (s.pp + r);
  return misfit > tuning.gate ? (misfit / tuning.gate) ** 2 : 1;
}

/** The Rauch–Tung–Striebel pass: the same columns, each fix now knowing those after it. Changes the pass in place. */
export function backward(pass: Pass): Pass {
  const { predicted: next } = pass;
  for (let i = pass.x.length - 2; i >= 0; i--) {
    const j = i + 1;
    const dt = pass.dt[j]!;
    const [pp, pv, vv] = [pass.pp[i]!, pass.pv[i]!, pass.vv[i]!];
    const [npp, npv, nvv] = [next.pp[j]!, next.pv[j]!, next.vv[j]!];
    const det = npp * nvv - npv * npv;
    // Gain C = P Fᵀ P⁻, with F = [1 dt; 0 1].
    const a = pp + dt * pv;
    const b = pv + dt * vv;
    const c11 = (a * nvv - pv * npv) / det;
    const c12 = (pv * npp - a * npv) / det;
    const c21 = (b * nvv - vv * npv) / det;
    const c22 = (vv * npp - b * npv) / det;
    const dx = pass.x[j]! - next.x[j]!;
    const dy = pass.y[j]! - next.y[j]!;
    const dvx = pass.vx[j]! - next.vx[j]!;
    const dvy = pass.vy[j]! - next.vy[j]!;
    pass.x[i]! += c11 * dx + c12 * dvx;
    pass.y[i]! += c11 * dy + c12 * dvy;
    pass.vx[i]! += c21 * dx + c22 * dvx;
    pass.vy[i]! += c21 * dy + c22 * dvy;
    const e11 = pass.pp[j]! - npp;
    const e12 = pass.pv[j]! - npv;
    const e22 = pass.vv[j]! - nvv;
    pass.pp[i] = pp + c11 * (c11 * e11 + c12 * e12) + c12 * (c11 * e12 + c12 * e22);
    pass.pv[i] = pv + c21 * (c11 * e11 + c12 * e12) + c22 * (c11 * e12 + c12 * e22);
    pass.vv[i] = vv + c21 * (c21 * e11 + c22 * e12) + c22 * (c21 * e12 + c22 * e22);
  }
  return pass;
}
