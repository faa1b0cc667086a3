import type { Fix } from "../../core/fix.ts";
import { lonDelta, METRES_PER_DEGREE, wrapLon } from "../../core/geo.ts";
import { follow, restart } from "./follow.ts";
import { metresPerDegreeLon, updateVelocity } from "./kalman.ts";
import { createMeasurement, type Measurement, measure, noiseOf, velocitySigma } from "./measurement.ts";
import type { PositionState } from "./position-state.ts";
import { clearTrail, placeOnTrail, pushTrail } from "./position-trail.ts";
import { POSITION_TUNING as K } from "./position-tuning.ts";

export { createPositionState, type PositionState } from "./position-state.ts";

/** Where a party is, as published. */
export type Estimate = {
  latDeg: number;
  lonDeg: number;
  /** Metres per second, or NaN when unknown. */
  speedMps: number;
  /** Degrees clockwise from north, 0…360, or NaN when unknown or standing. */
  headingDeg: number;
  /** Radius that holds the true place about two times out of three, metres. */
  accuracyM: number;
  /** The fix was not believed: the place is the predicted one, or for a late fix the one on the trail. */
  outlier: boolean;
  /** Time of the fix, as given. */
  atMs: number;
  /** The fix as read; here so that reading one makes no garbage. */
  readonly measured: Measurement;
};

/** An estimate to be filled, as often as one likes. */
export function createEstimate(): Estimate {
  return {
    latDeg: 0,
    lonDeg: 0,
    speedMps: Number.NaN,
    headingDeg: Number.NaN,
    accuracyM: 0,
    outlier: false,
    atMs: 0,
    measured: createMeasurement(),
  };
}

/**
 * Applies a fix in order and fills `out` with the place to publish. An outlier is not taken in: the prediction is
 * published, and the fix is kept as a rival (rival.ts). Any fix yields a place.
 * @param tMs corrected device time of the fix; a time before the last one re-anchors the filter's clock without motion
 */
export function applyPosition(state: PositionState, fix: Fix, tMs: number, out: Estimate): void {
  const m = measure(state, fix, out.measured);
  let outlier = false;
  if (!state.ready || tMs - state.tMs > 1000 * K.restartS) begin(state, fix, m, tMs);
  else outlier = !follow(state, fix, m, tMs);
  remember(state, fix, m, tMs);
  describe(state, fix, m, out);
  out.outlier = outlier;
  out.atMs = tMs;
}

/**
 * Fills `out` with the place of a late fix among the recent estimates, moved towards the fix as far as it is believed.
 * The filter itself stays as it is. False, and nothing filled, when the time lies outside of what the trail covers.
 */
export function placeLate(state: PositionState, fix: Fix, tMs: number, out: Estimate): boolean {
  if (tMs > state.tMs) return false;
  const place = placeOnTrail(state.trail, tMs);
  if (!place) return false;
  const perLon = metresPerDegreeLon(place.latDeg);
  const east = lonDelta(place.lonDeg, fix.lonDeg) * perLon;
  const north = (fix.latDeg - place.latDeg) * METRES_PER_DEGREE;
  const d2 = east * east + north * north;
  const sigma = fix.accuracyM > 0 ? noiseOf(fix.accuracyM) : K.sigmaM;
  const r = sigma * sigma;
  const floor = place.moving ? K.gateFloorM : K.gateFloorBareM;
  out.outlier = d2 > Math.max(K.gate * (place.variance + r), floor * floor);
  const variance = Math.max(place.variance, d2 / 2 - K.surprise * r);
  const gain = out.outlier ? 0 : variance / (variance + r);
  out.latDeg = place.latDeg + (gain * north) / METRES_PER_DEGREE;
  out.lonDeg = wrapLon(place.lonDeg + (gain * east) / perLon);
  out.accuracyM = radiusOf(out.outlier ? place.variance : gain * r);
  out.speedMps = fix.speedMps;
  out.headingDeg = fix.headingDeg;
  out.atMs = tMs;
  return true;
}

/** The first fix, and the first after a long pause: the place is that of the fix. */
function begin(state: PositionState, fix: Fix, m: Measurement, tMs: number): void {
  clearTrail(state.trail);
  state.trusted = true;
  state.biasVx = state.biasVy = state.meanVx = state.meanVy = state.roughM2 = 0;
  restart(state, fix, m, tMs);
  if (!Number.isNaN(m.vx))
    updateVelocity(state, m.vx, m.vy, velocitySigma(m), metresPerDegreeLon(fix.latDeg));
}

function remember(state: PositionState, fix: Fix, m: Measurement, tMs: number): void {
  state.rawLatDeg = fix.latDeg;
  state.rawLonDeg = fix.lonDeg;
  state.rawTMs = tMs;
  state.rawVx = m.vx;
  state.rawVy = m.vy;
  state.standing = m.standing;
  if (!m.repeated) state.freshTMs = tMs;
  pushTrail(state.trail, state, m.moving);
}

function describe(state: PositionState, fix: Fix, m: Measurement, out: Estimate): void {
  const speed = Math.sqrt(state.vx * state.vx + state.vy * state.vy);
  const known = state.vv < 16;
  out.latDeg = state.latDeg;
  out.lonDeg = state.lonDeg;
  out.speedMps = m.standing ? 0 : m.moving || known ? speed : fix.speedMps;
  out.headingDeg =
    m.standing || speed < 1 || !known ? Number.NaN : m.moving ? fix.headingDeg : courseOf(state);
  out.accuracyM = radiusOf(state.pp);
}

/** Direction of the estimated velocity, for devices that report none that is believed. */
function courseOf({ vx, vy }: PositionState): number {
  return (Math.atan2(vx, vy) * (180 / Math.PI) + 360) % 360;
}

/** Radius for two out of three from a variance per axis. Slow drift can't be seen in the variance: at least 3 m. */
function radiusOf(variance: number): number {
  return Math.max(3, 1.5 * Math.sqrt(variance));
}
