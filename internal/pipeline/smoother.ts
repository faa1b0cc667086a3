import type { Fix } from "../core/fix.ts";
import { lonDelta, METRES_PER_DEGREE, wrapLon } from "../core/geo.ts";
import { backward, forward, type Pass, type Stretch } from "./smoother-passes.ts";
import { SMOOTHER_TUNING, type SmootherTuning } from "./smoother-tuning.ts";

const RAD = Math.PI / 180;
/** Radius that holds 68 % of a circular normal distribution, in sigmas per axis. */
const RADIUS_68 = 1.51;
/**
 * Robust passes: the first one gates by what came before, the others by what came before and after. At least the first
 * number, then until nobody is let in or out, at most the second.
 */
const PASSES = 4;
const MAX_PASSES = 8;

/** A track smoothed with the future known; one entry per fix. */
export type SmoothTrack = {
  latDeg: Float64Array;
  lonDeg: Float64Array;
  speedMps: Float64Array;
  /** Spread of the speed (1 sigma per axis) and 68 % radius of the place, as far as the noise model is right. */
  speedSigmaMps: Float64Array;
  accuracyM: Float64Array;
  /** 1 where the fix had no say because it does not fit the others. */
  outlier: Uint8Array;
  /** 1 at the first fix of a stretch: the time since the fix before is longer than gapS. */
  starts: Uint8Array;
};

/**
 * Smooths fixes that are in order of time: a forward Kalman filter and the Rauch–Tung–Striebel pass backwards (Rauch,
 * Tung, Striebel 1965), constant velocity in local metres, per stretch without a long gap. Position noise is what the
 * device admits to; speed with heading is a velocity measurement, a speed near zero one of standing. Fixes that don't fit
 * the smoothed track, judged without themselves, lose weight (Huber) or their say, and the track is computed again.
 * @param fixes as recorded
 * @param times their corrected capture times, milliseconds, rising
 */
export function smooth(
  fixes: readonly Fix[],
  times: Float64Array,
  tuning: SmootherTuning = SMOOTHER_TUNING,
): SmoothTrack {
  const n = fixes.length;
  const track: SmoothTrack = {
    latDeg: new Float64Array(n),
    lonDeg: new Float64Array(n),
    speedMps: new Float64Array(n),
    speedSigmaMps: new Float64Array(n),
    accuracyM: new Float64Array(n),
    outlier: new Uint8Array(n),
    starts: new Uint8Array(n),
  };
  for (let from = 0; from < n; ) {
    let to = from + 1;
    while (to < n && times[to]! - times[to - 1]! <= 1000 * tuning.gapS) to++;
    track.starts[from] = 1;
    smoothStretch(fixes.slice(from, to), times.subarray(from, to), from, track, tuning);
    from = to;
  }
  return track;
}

function smoothStretch(
  fixes: readonly Fix[],
  times: Float64Array,
  offset: number,
  track: SmoothTrack,
  tuning: SmootherTuning,
): void {
  const stretch = toLocal(fixes, times, tuning);
  if (!velocitiesFit(stretch, tuning)) dropVelocities(stretch);
  let pass = robust(stretch, tuning);
  if (stretch.hasVelocity && excludedShare(stretch) > tuning.maxExcludedShare) {
    dropVelocities(stretch);
    pass = robust(stretch, tuning);
  }
  const origin = fixes[0]!;
  const perLon = METRES_PER_DEGREE * Math.cos(origin.latDeg * RAD);
  for (let i = 0; i < fixes.length; i++) {
    track.latDeg[offset + i] = origin.latDeg + pass.y[i]! / METRES_PER_DEGREE;
    track.lonDeg[offset + i] = wrapLon(origin.lonDeg + pass.x[i]! / perLon);
    track.speedMps[offset + i] = Math.hypot(pass.vx[i]!, pass.vy[i]!);
    track.speedSigmaMps[offset + i] = Math.sqrt(Math.max(0, pass.vv[i]!));
    track.accuracyM[offset + i] = RADIUS_68 * Math.sqrt(Math.max(0, pass.pp[i]!));
    track.outlier[offset + i] = stretch.weight[i]! === Number.POSITIVE_INFINITY ? 1 : 0;
  }
}

function robust(stretch: Stretch, tuning: SmootherTuning): Pass {
  stretch.weight.set(stretch.stale);
  let pass = backward(forward(stretch, tuning, true));
  for (let round = 1, moved = 1; round < PASSES || (moved > 0 && round < MAX_PASSES); round++) {
    moved = reweigh(stretch, pass, tuning);
    pass = backward(forward(stretch, tuning, false));
  }
  return pass;
}

/** How much each fix is to count, from how far it lies from what the others say. Returns how many were let in or out. */
function reweigh(stretch: Stretch, pass: Pass, tuning: SmootherTuning): number {
  const { weight, stale, variance } = stretch;
  let moved = 0;
  for (let i = 0; i < stretch.n; i++) {
    const r = variance[i]!;
    const used = r * weight[i]!;
    const dx = stretch.x[i]! - pass.x[i]!;
    const dy = stretch.y[i]! - pass.y[i]!;
    // Take the fix itself out of the smoothed place: what remains is the others' opinion.
    const own = used === Number.POSITIVE_INFINITY ? 0 : Math.min(0.999, pass.pp[i]! / used);
    const alone = 1 / (1 - own);
    const offM2 = (dx * dx + dy * dy) * alone * alone;
    const others = pass.pp[i]! * alone;
    const misfit = offM2 / 2 / (r + others);
    const out = misfit > tuning.gate && offM2 > tuning.gateFloorM * tuning.gateFloorM;
    const softened = misfit > tuning.huber ? Math.sqrt(misfit / tuning.huber) : 1;
    const next = out ? Number.POSITIVE_INFINITY : Math.max(stale[i]!, softened);
    if ((next === Number.POSITIVE_INFINITY) !== (weight[i] === Number.POSITIVE_INFINITY)) moved++;
    weight[i] = next;
  }
  return moved;
}

function excludedShare(stretch: Stretch): number {
  let excluded = 0;
  for (const weight of stretch.weight) if (weight === Number.POSITIVE_INFINITY) excluded++;
  return excluded / stretch.n;
}

function toLocal(fixes: readonly Fix[], times: Float64Array, tuning: SmootherTuning): Stretch {
  const n = fixes.length;
  const column = () => new Float64Array(n);
  const stretch: Stretch = {
    n,
    hasVelocity: false,
    t: column(),
    x: column(),
    y: column(),
    vx: column().fill(Number.NaN),
    vy: column().fill(Number.NaN),
    still: new Uint8Array(n),
    variance: column(),
    weight: column(),
    stale: column().fill(1),
  };
  const origin = fixes[0]!;
  const cos0 = Math.cos(origin.latDeg * RAD);
  let freshMs = times[0]!;
  for (let i = 0; i < n; i++) {
    const fix = fixes[i]!;
    const before = fixes[i - 1];
    stretch.t[i] = (times[i]! - times[0]!) / 1000;
    stretch.x[i] = lonDelta(origin.lonDeg, fix.lonDeg) * METRES_PER_DEGREE * cos0;
    stretch.y[i] = (fix.latDeg - origin.latDeg) * METRES_PER_DEGREE;
    stretch.still[i] = fix.speedMps >= 0 && fix.speedMps < tuning.stillMps ? 1 : 0;
    if (stretch.still[i] === 1) stretch.vx[i] = stretch.vy[i] = 0;
    else if (fix.speedMps >= 0 && fix.headingDeg >= 0) {
      // Metres east are counted at the origin's latitude; so is the velocity.
      stretch.vx[i] = (fix.speedMps * Math.sin(fix.headingDeg * RAD) * cos0) / Math.cos(fix.latDeg * RAD);
      stretch.vy[i] = fix.speedMps * Math.cos(fix.headingDeg * RAD);
    }
    if (!Number.isNaN(stretch.vx[i])) stretch.hasVelocity = true;
    const sigmaM = sigmaOf(fix.accuracyM, tuning);
    stretch.variance[i] = sigmaM * sigmaM;
    // A device that repeats its place at speed has lost the sky; that place is no news.
    const repeats = before !== undefined && fix.latDeg === before.latDeg && fix.lonDeg === before.lonDeg;
    if (!repeats) freshMs = times[i]!;
    else if (fix.speedMps >= 1 && times[i]! - freshMs < 1000 * tuning.staleS)
      stretch.stale[i] = Number.POSITIVE_INFINITY;
  }
  return stretch;
}

/** Position noise that an accuracy stands for: phones in the open say 3–5 m and are better; poor ones mean it. */
function sigmaOf(accuracyM: number, tuning: SmootherTuning): number {
  if (!(accuracyM > 0)) return tuning.sigmaM;
  const share = Math.max(0, Math.min(1, (accuracyM - tuning.goodM) / (tuning.poorM - tuning.goodM)));
  return Math.max(tuning.sigmaM, tuning.sigmaM + share * (accuracyM - tuning.sigmaM));
}

/** False when speed and heading contradict the way between the places more often than not. */
function velocitiesFit(stretch: Stretch, tuning: SmootherTuning): boolean {
  const { t, x, y, vx, vy } = stretch;
  let pairs = 0;
  let misfits = 0;
  for (let i = 1; i < stretch.n; i++) {
    const dt = t[i]! - t[i - 1]!;
    if (!(dt >= 0.5) || Number.isNaN(vx[i]! + vx[i - 1]!)) continue;
    const ex = (x[i]! - x[i - 1]!) / dt - (vx[i]! + vx[i - 1]!) / 2;
    const ey = (y[i]! - y[i - 1]!) / dt - (vy[i]! + vy[i - 1]!) / 2;
    const speed = Math.hypot(vx[i]!, vy[i]!);
    const noise = Math.sqrt(stretch.variance[i]! + stretch.variance[i - 1]!) / dt;
    pairs++;
    if (Math.hypot(ex, ey) > tuning.fitMps + tuning.fitShare * speed + 2 * noise) misfits++;
  }
  return misfits * 2 <= pairs;
}

function dropVelocities(stretch: Stretch): void {
  stretch.hasVelocity = false;
  stretch.vx.fill(Number.NaN);
  stretch.vy.fill(Number.NaN);
  stretch.still.fill(0);
  stretch.stale.fill(1);
}
