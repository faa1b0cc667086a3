import { distanceM } from "../../core/geo.ts";
import { NEVER, type PhaseState } from "./phase-state.ts";
import type { PhaseThresholds } from "./phase-thresholds.ts";

type Place = { latDeg: number; lonDeg: number; accuracyM: number; atMs: number };

/**
 * Since when the car has made the stop that is an arrival: the time of its first fix; NEVER while there is none. A stop
 * ends with a driving fix, and may be found only then (one standing fix among sparse ones).
 */
export function stopFrom(
  state: PhaseState,
  sample: Place,
  farM: number,
  paceMps: number,
  limits: PhaseThresholds,
): number {
  const inside = farM <= limits.arriveFarM;
  if (!inside && state.standFromMs === NEVER) {
    state.stayFromMs = NEVER;
    return NEVER;
  }
  const standing = state.standFromMs !== NEVER;
  const stands = inside && (paceMps <= limits.standMps || (standing && paceMps < limits.driveMps));
  const gapMs = state.lastAtMs === NEVER ? 0 : (sample.atMs - state.lastAtMs) / 2;
  const creditMs = Math.min(1000 * limits.gapCreditS, gapMs);
  if (stands && !standing) {
    state.standFromMs = sample.atMs;
    state.standCreditMs = creditMs;
    state.standM = farM;
  }
  const fromMs = state.standFromMs;
  if (fromMs !== NEVER) {
    if (stands && farM < state.standM) state.standM = farM;
    const stoodMs = state.standCreditMs + (stands ? sample.atMs : state.lastAtMs + creditMs) - fromMs;
    if (!stands) state.standFromMs = NEVER;
    if (stoodMs >= stopMs(state.standM, limits)) return fromMs;
  }
  return inside ? stayFrom(state, sample, farM, limits) : NEVER;
}

/** How long a stop at that distance from the waypoint has to be, milliseconds. */
export function stopMs(farM: number, limits: PhaseThresholds): number {
  const share = Math.max(0, (farM - limits.arriveNearM) / (limits.arriveFarM - limits.arriveNearM));
  return 1000 * (limits.arriveNearS + share * (limits.arriveFarS - limits.arriveNearS));
}

/** Since when the car has stayed in one place, whatever its speed says; NEVER while not long enough. */
function stayFrom(state: PhaseState, sample: Place, farM: number, limits: PhaseThresholds): number {
  const movedM = distanceM(state.stayLatDeg, state.stayLonDeg, sample.latDeg, sample.lonDeg);
  if (state.stayFromMs === NEVER || movedM > limits.stayM) {
    state.stayLatDeg = sample.latDeg;
    state.stayLonDeg = sample.lonDeg;
    state.stayFromMs = sample.atMs;
    return NEVER;
  }
  const needMs = Math.max(1000 * limits.stayS, stopMs(farM, limits));
  return sample.atMs - state.stayFromMs >= needMs ? state.stayFromMs : NEVER;
}

/**
 * The pace in metres per second between positions at least paceS apart, less their noise, and what it was before until
 * then: for devices that give no speed.
 */
export function paceFromPlaces(state: PhaseState, sample: Place, limits: PhaseThresholds): number {
  const spanMs = sample.atMs - state.paceAtMs;
  if (state.paceAtMs !== NEVER && spanMs < 1000 * limits.paceS) return state.paceMps;
  const noiseM = sample.accuracyM > 0 ? Math.min(sample.accuracyM, limits.paceNoiseMaxM) : limits.paceNoiseM;
  const stepM = distanceM(state.paceLatDeg, state.paceLonDeg, sample.latDeg, sample.lonDeg);
  state.paceMps = state.paceAtMs === NEVER ? limits.driveMps : (1000 * Math.max(0, stepM - noiseM)) / spanMs;
  state.paceAtMs = sample.atMs;
  state.paceLatDeg = sample.latDeg;
  state.paceLonDeg = sample.lonDeg;
  return state.paceMps;
}
