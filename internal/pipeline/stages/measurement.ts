import type { Fix } from "../../core/fix.ts";
import type { PositionState } from "./position-state.ts";
import { POSITION_TUNING as K } from "./position-tuning.ts";

const RAD = Math.PI / 180;

/** A fix as the filter reads it. */
export type Measurement = {
  /** Noise of the place per axis, metres. */
  sigmaM: number;
  /** Reported velocity east and north, metres per second; NaN when the fix has none. */
  vx: number;
  vy: number;
  /** Reported speed, or NaN. */
  speedMps: number;
  /** The fix says that the car stands. */
  standing: boolean;
  /** There is a velocity, and it is believed. */
  moving: boolean;
  /** The same place, to the last digit, as the fix before. */
  repeated: boolean;
};

/** A measurement to be filled. */
export function createMeasurement(): Measurement {
  return {
    sigmaM: Number.NaN,
    vx: Number.NaN,
    vy: Number.NaN,
    speedMps: Number.NaN,
    standing: false,
    moving: false,
    repeated: false,
  };
}

/** Reads a fix: how far it may be off and how the car moves. Fills and returns `m`. */
export function measure(state: PositionState, fix: Fix, m: Measurement): Measurement {
  const speedMps = fix.speedMps;
  const standing = speedMps >= 0 && speedMps < K.standingMps;
  const reported = standing || (speedMps >= K.standingMps && fix.headingDeg >= 0);
  const moving = reported && state.trusted;
  const heading = fix.headingDeg * RAD;
  m.sigmaM = fix.accuracyM > 0 ? noiseOf(fix.accuracyM) : moving ? K.sigmaM : K.sigmaBareM;
  m.vx = !reported ? Number.NaN : standing ? 0 : speedMps * Math.sin(heading);
  m.vy = !reported ? Number.NaN : standing ? 0 : speedMps * Math.cos(heading);
  m.speedMps = speedMps;
  m.standing = standing;
  m.moving = moving;
  m.repeated = fix.latDeg === state.rawLatDeg && fix.lonDeg === state.rawLonDeg;
  return m;
}

/**
 * Noise per axis for a reported accuracy. Phones that see well report 3–5 m and are off by 1–2 m that drift slowly:
 * believing the number would only make the marker lag. From 10 m on it means what it says.
 */
export function noiseOf(accuracyM: number): number {
  if (accuracyM >= K.poorAccuracyM) return accuracyM;
  if (accuracyM <= K.goodAccuracyM) return K.sigmaM;
  const part = (accuracyM - K.goodAccuracyM) / (K.poorAccuracyM - K.goodAccuracyM);
  return K.sigmaM + part * part * (K.poorAccuracyM - K.sigmaM);
}

/** Noise of the reported velocity per axis, metres per second. */
export function velocitySigma({ standing, speedMps }: Measurement): number {
  if (standing) return K.standingSigmaMps;
  return K.velocitySigmaMps + K.velocitySigmaShare * speedMps + (speedMps < 1 ? K.velocitySigmaSlowMps : 0);
}
