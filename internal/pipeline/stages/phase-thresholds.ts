/**
 * When a car counts as arrived, as gone, as on its way. Thresholds come in pairs (enter, leave) so that noise at a border
 * cannot flap. "Filtered" positions are meant: noise of 12 m (1 sigma) has become 4–7 m by then.
 */
export const PHASE_THRESHOLDS = {
  /**
   * Metres. A short stop this close to the waypoint is an arrival. Namma Yatri: 40 m; a street's width for the car at the
   * opposite kerb is added.
   */
  arriveNearM: 45,
  /**
   * Metres. Up to here a longer stop is an arrival; also how far a stop that began near may wander. Namma Yatri's outer
   * pair is 100 m, which takes in the next parallel street of a city block (80–100 m) and so its traffic lights.
   */
  arriveFarM: 80,
  /**
   * Seconds of standing that make an arrival within arriveNearM. A fix stands for the time half-way to its neighbours,
   * so one standing fix among fixes every 4 s is worth 4 s: a stop of 5 s is found whichever way the fixes fall, a stop
   * sign (1–3 s) at 1 Hz is not one.
   */
  arriveNearS: 3.5,
  /** Seconds of standing at arriveFarM, linear in between: longer than most red lights leave a car there. */
  arriveFarS: 40,
  /** Seconds. At most this much of a gap between fixes counts as standing, on each side of a standing fix. */
  gapCreditS: 5,
  /** Metres per second up to which a car stands: walking pace, above the speed noise of phones (0.2–0.5). */
  standMps: 1.5,
  /** Metres per second from which it surely drives; between the two a car goes on doing what it did. */
  driveMps: 3,
  /**
   * Metres. A car that stays in a disc of this radius stands, whatever its speed says: noise makes speeds when the device
   * gives none. 12 m of noise leaves it once in 40 fixes even unfiltered.
   */
  stayM: 30,
  /** Seconds to stay in the disc, at least: a jam creeps out of it faster. */
  stayS: 20,
  /**
   * Metres from the waypoint beyond which a driving car has left; 1.5 times arriveFarM. Less where the next waypoint is
   * near, see leaveFloorM.
   */
  leaveM: 120,
  /** Metres. The leave radius is half the way to the next waypoint, but between this (5 sigma of 12 m) and leaveM. */
  leaveFloorM: 60,
  /** Seconds, and at least two fixes, that the car must be outside: no single wrong fix ends a stop. */
  leaveS: 3,
  /** Metres from where the driver first was seen that make a NEW trip ENROUTE: 5 sigma of 12 m. */
  startM: 60,
  /** Metres. A car that came so close to the waypoint has been there; wide, for fixes 30 s apart cut corners. */
  passM: 150,
  /** A passed waypoint is done when this share of the straight line to the next one is behind the car … */
  passShare: 0.5,
  /** … but not before so many metres: a driver who missed the house turns round within them … */
  passMinM: 500,
  /** … and at the latest after so many: nobody misses a house by that much. */
  passMaxM: 3_000,
  /** Metres from the planned path, where there is one, that a car may be off when its passed waypoint counts as done. */
  passPathM: 100,
  /** Metres between two looks at the planned path: it can have 5,000 points. */
  passStepM: 100,
  /** Metres. Fixes that admit to a larger radius say nothing about a stop: half of them lie outside arriveFarM. */
  maxAccuracyM: 80,
  /** Seconds over which the pace is taken from positions when the device gives no speed. */
  paceS: 4,
  /** Metres of position noise taken off that way when the fix gives no accuracy, and at most when it does. */
  paceNoiseM: 3,
  paceNoiseMaxM: 10,
};
export type PhaseThresholds = typeof PHASE_THRESHOLDS;
