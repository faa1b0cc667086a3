/** Noise and limits of the settlement's smoother. Measured on recorded drives with decimetre truth, clean and with dirt. */
export const SMOOTHER_TUNING = {
  /** Seconds without a fix after which a new stretch starts. */
  gapS: 120,
  /** Metres. Position noise (1 sigma per axis) of a fix that gives no accuracy. */
  sigmaM: 1.5,
  /** Metres of accuracy up to which a fix is as good as one that gives none, and from which it is taken at its word. */
  goodM: 4,
  poorM: 8,
  /** Metres per second below which a car stands. */
  stillMps: 0.3,
  /** Metres per second: velocity noise when standing; when driving; added below 1 m/s, where headings are poor. */
  stillSigmaMps: 0.1,
  velocitySigmaMps: 0.2,
  slowSigmaMps: 0.5,
  /** Seconds by which speed and heading of phones lag (up to 0.5), and its spread: noise in proportion to acceleration. */
  lagS: 0.3,
  lagSigmaS: 0.15,
  /** m²/s³. Process noise with velocities: at least; while standing; at most; share of the squared change of velocity. */
  driveQ: 0.2,
  stillQ: 0.001,
  maxQ: 16,
  turnShare: 1,
  /** m²/s³. Process noise without velocities: accelerations of 2 m/s² for a second or two. */
  speedlessQ: 4,
  /** m²/s. Slow drift of what the device calls its place, so that long averages don't pretend to centimetres. */
  driftQ: 0.05,
  /** Misfit per axis, in variances, above which a fix loses weight; and its say, if it is also gateFloorM off. */
  huber: 3,
  gate: 8,
  gateFloorM: 12,
  /** Seconds for which a place repeated at speed counts as stale. */
  staleS: 15,
  /** Velocities that are off by more than this and this share of the speed in half of the steps are not used. */
  fitMps: 3,
  fitShare: 0.3,
  /** When more fixes than this are left out, the velocities are not believed instead. */
  maxExcludedShare: 0.3,
};
export type SmootherTuning = typeof SMOOTHER_TUNING;
