/**
 * The constants of the position filter: one setting for every device. Chosen on recorded drives with and without planted
 * dirt (docs/BENCHMARKS.md); "measured" below means there. A fix "with velocity" has speed and heading, or stands.
 */
export const POSITION_TUNING = Object.freeze({
  // How far a fix may be off.
  /** Noise per axis of a fix without accuracy, metres. What phones put out in the open drifts slowly; following it is best. */
  sigmaM: 1.2,
  /** The same for a fix with neither accuracy nor velocity: there is nothing to smooth it with. */
  sigmaBareM: 1,
  /** Reported accuracies up to this say no more than that reception is good, metres. */
  goodAccuracyM: 5,
  /** From here on a reported accuracy is taken as the noise per axis, metres; between the two it counts for less. */
  poorAccuracyM: 10,
  /** Noise from which errors are averaged instead of followed, metres. */
  coarseM: 8,
  /** Errors of successive coarse fixes resemble each other: they weigh less than independent ones would, factor of variance. */
  coarseWeight: 1.5,
  /** A standing car's fixes only drift: each weighs this much less, factor of variance. */
  standingWeight: 25,

  // How a car moves.
  /** Below this reported speed the car stands, metres per second. */
  standingMps: 0.3,
  /** White acceleration of a car whose velocity is measured, on top of what it shows, m²/s³. */
  accelerationNoise: 0.2,
  /** Share of the measured change of velocity that counts as acceleration noise: curves and braking bend the way between fixes. */
  turnShare: 0.5,
  /** The most of both, m²/s³. */
  accelerationNoiseMax: 16,
  /** White acceleration of a car without measured velocity, m²/s³. */
  accelerationNoiseBare: 6,
  /** The same while standing: keeps the filter from falling asleep, m²/s³. */
  accelerationNoiseStanding: 0.01,
  /** Random walk of the place, for what the velocity does not tell, m²/s. */
  placeNoise: 0.08,
  /** Between two fixes `dt` apart the car may be off the interpolated way by this times dt³, metres (measured: 1 at 4 s). */
  bendM: 0.003,
  /** And for the gate by this times dt², metres (measured: up to 38 at 8 s). */
  bendWideM: 0.15,
  /** Prior of an unknown velocity, metres per second per axis. */
  velocityPriorMps: 15,

  // How good a reported velocity is.
  /** Noise per axis, metres per second. */
  velocitySigmaMps: 0.2,
  /** And per metre per second of speed. */
  velocitySigmaShare: 0.004,
  /** Noise of the direction below 1 m/s, metres per second. */
  velocitySigmaSlowMps: 0.5,
  /** Noise of a zero speed, metres per second. */
  standingSigmaMps: 0.15,
  /** Phones report speed and heading late by up to 0.5 s: they are put forward by this, seconds. */
  velocityLagS: 0.3,
  /** And the noise grows by this times the acceleration, seconds. */
  velocityLagSigmaS: 0.1,
  /** Time over which reported velocity and travelled way are compared, seconds. */
  trustS: 10,
  /** A mean difference beyond this is not believed any more, metres per second; it is again below half of it. */
  trustMps: 1.5,
  /** And per metre per second of speed. */
  trustShare: 0.06,
  /** Repeats of a place while the device reports motion are stale, not standing, for so long, seconds. */
  staleS: 15,

  // The gate.
  /** Squared normalised distance that is still noise (χ² of two degrees at 99.5 %). */
  gate: 10.6,
  /** A fix within this distance of the prediction is never an outlier, metres; jumps worth rejecting are farther. */
  gateFloorM: 15,
  /** The same without measured velocity. */
  gateFloorBareM: 40,
  /** With velocity, fixes beyond this plus the next constant times dt are outliers whatever the statistics say, metres. */
  gateCeilingM: 20,
  /** Metres per second; for gaps shorter than gateCeilingS. */
  gateCeilingMps: 3.2,
  /** Seconds. */
  gateCeilingS: 20,
  /** Time stamps are rounded to the second by some devices: so much of the way is allowed for, seconds. */
  stampSlackS: 1,
  /** At most so many metres of it. */
  stampSlackM: 20,
  /** Acceleration that a car without measured velocity may have, m/s². */
  reachMps2: 4,
  /** What such a receiver's fixes usually differ from the prediction by, times this, is no outlier. */
  roughGate: 2.5,
  /** A single difference counts in that with at most this, metres. */
  roughCapM: 60,
  /** After a fix that passed the gate from farther than this it stays open for the way back, metres: it may have been a jump. */
  doubtM: 25,
  /** The same without measured velocity. */
  doubtBareM: 40,
  /** How far it stays open, times the distance. */
  doubtGate: 1.3,
  /** Squared normalised distance beyond which an accepted fix's difference is the model's fault, not the fix's. */
  surprise: 7,
  /** Time over which the mean difference is taken, seconds: a filter that leans follows too slowly. */
  leanS: 25,
  /** Mean difference from which coarse fixes are followed faster, times their noise. */
  leanCoarse: 1.3,
  /** The same for good fixes. */
  lean: 0.6,
  /** How much faster: variance of the prediction, times that of the fix and the seconds between (at most 4). */
  leanGainCoarse: 0.2,
  /** The same for good fixes, without the seconds. */
  leanGain: 1,

  // The rival: rejected fixes that agree among themselves.
  /** Speed at which rejected fixes may follow each other, metres per second. */
  rivalMps: 45,
  /** With velocity: distance per second that they may be off the reported way, metres per second. */
  rivalOffMps: 5,
  /** Points that make the rival right: 2 for the first fix and each that agrees, 1 for one that agrees with its place only. */
  rivalPoints: 6,
  /** The same once they span rivalSpanMs, for good fixes; and when the place itself rests on one fix. */
  rivalPointsFew: 4,
  /** Milliseconds. */
  rivalSpanMs: 3_500,
  /** So many rejections in a row end in following the fixes, whether they agree or not. */
  starvedFixes: 10,
  /** So long without an accepted fix as well, milliseconds. */
  starvedMs: 30_000,

  // Time.
  /** A pause longer than this starts afresh, seconds. */
  restartS: 120,
  /** While fixes without velocity are rejected the car goes on at its mean velocity over this time, seconds. */
  coastS: 5,

  // Late fixes.
  /** Between two recent places the car may be off the interpolated way by this times the seconds from either end, metres. */
  sagM: 0.3,
  /** The same without measured velocity. */
  sagBareM: 1.25,
});
