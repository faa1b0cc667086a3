import { METRES_PER_DEGREE, wrapLon } from "../../core/geo.ts";

/**
 * A constant-velocity Kalman filter in metres around its own estimate (Bar-Shalom, Li, Kirubarajan, Estimation with
 * Applications to Tracking and Navigation, ch. 6.2: white acceleration). Both axes share one covariance.
 */
export type Kalman = {
  latDeg: number;
  lonDeg: number;
  vx: number;
  vy: number;
  pp: number;
  pv: number;
  vv: number;
};

/** Length of one degree of longitude, metres; at the poles that of 89.4°, so that nothing divides by zero. */
export function metresPerDegreeLon(latDeg: number): number {
  const cos = Math.cos((latDeg * Math.PI) / 180);
  return METRES_PER_DEGREE * (cos > 0.01 ? cos : 0.01);
}

/** Moves the place by metres. */
export function shift(k: Kalman, eastM: number, northM: number, perLon: number): void {
  const latDeg = k.latDeg + northM / METRES_PER_DEGREE;
  k.latDeg = latDeg > 90 ? 90 : latDeg < -90 ? -90 : latDeg;
  k.lonDeg = wrapLon(k.lonDeg + eastM / perLon);
}

/**
 * Goes `dt` seconds ahead.
 * @param q white acceleration, m²/s³
 * @param qPlace random walk of the place, m²/s
 */
export function predict(k: Kalman, dt: number, q: number, qPlace: number, perLon: number): void {
  shift(k, k.vx * dt, k.vy * dt, perLon);
  k.pp += dt * (2 * k.pv + dt * k.vv) + (q * dt * dt * dt) / 3 + qPlace * dt;
  k.pv += dt * k.vv + (q * dt * dt) / 2;
  k.vv += q * dt;
}

/** Takes in a measured velocity with noise `sigma` per axis, metres per second. */
export function updateVelocity(k: Kalman, vx: number, vy: number, sigma: number, perLon: number): void {
  const total = k.vv + sigma * sigma;
  const gainP = k.pv / total;
  const gainV = k.vv / total;
  const dx = vx - k.vx;
  const dy = vy - k.vy;
  k.vx += gainV * dx;
  k.vy += gainV * dy;
  shift(k, gainP * dx, gainP * dy, perLon);
  k.pp -= gainP * k.pv;
  k.pv -= gainP * k.vv;
  k.vv -= gainV * k.vv;
}

/**
 * Takes in a place that differs from the prediction by metres east and north.
 * @param r variance of the measured place per axis, m²
 * @param gainVMax largest gain of the velocity, 1/s. At 1/dt the velocity becomes that of the last step; the optimal gain
 * is larger when places are exact, and rings.
 */
export function updatePlace(
  k: Kalman,
  eastM: number,
  northM: number,
  r: number,
  gainVMax: number,
  perLon: number,
): void {
  const total = k.pp + r;
  const gainP = k.pp / total;
  const gainV = Math.min(k.pv / total, gainVMax);
  shift(k, gainP * eastM, gainP * northM, perLon);
  k.vx += gainV * eastM;
  k.vy += gainV * northM;
  // Joseph's form, as the gain need not be the optimal one
  k.vv += gainV * (gainV * total - 2 * k.pv);
  k.pv = (1 - gainP) * (k.pv - gainV * k.pp) + gainP * gainV * r;
  k.pp = (1 - gainP) * (1 - gainP) * k.pp + gainP * gainP * r;
}
