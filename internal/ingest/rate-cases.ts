import type { RateInput, WantedAccuracy } from "./rate-input.ts";

/** One line of the policy. */
export type RateCase = {
  /** What WantedRate.reason says. */
  readonly code: string;
  /** When, in words, for docs/API.md. */
  readonly when: string;
  readonly intervalMs: number;
  readonly accuracy: WantedAccuracy;
  /** Why so, in words. */
  readonly why: string;
  /** Nothing makes it coarser. */
  readonly exact?: true;
  /** @param stays this case was the last decision: its thresholds are those of leaving it */
  holds(input: RateInput, stays: boolean): boolean;
};

/** A threshold of a measure, with another one for leaving, so that nothing flaps between the two. */
type Threshold = { readonly enter: number; readonly leave: number };

const NEAR_PICKUP_M: Threshold = { enter: 300, leave: 400 };
const NEAR_STOP_M: Threshold = { enter: 150, leave: 220 };
/** Below it a car stands. */
const STANDING_MPS: Threshold = { enter: 0.5, leave: 1.5 };
/** From it on a car moves so far between two positions that a curve is cut. */
const FAST_MPS: Threshold = { enter: 20, leave: 17 };
/** From it on a car turns. */
const TURNING_DEGPS: Threshold = { enter: 8, leave: 4 };

const below = (value: number, { enter, leave }: Threshold, stays: boolean) =>
  value <= (stays ? leave : enter);
const above = (value: number, { enter, leave }: Threshold, stays: boolean) =>
  value >= (stays ? leave : enter);
const isArrived = ({ tripStatus }: RateInput) => tripStatus?.startsWith("ARRIVED_AT_") ?? false;
const isOnTrip = ({ tripStatus }: RateInput) => tripStatus !== undefined;
const isWatchedTrip = (input: RateInput) => isOnTrip(input) && input.watched;

/**
 * THE POLICY: the first that holds decides. Nothing that is unknown (NaN) makes a case hold. The last one of drivers and the
 * last one of riders always hold.
 */
export const RATE_CASES: readonly RateCase[] = [
  {
    code: "RIDER_WATCHED",
    when: "a rider, whom somebody watches",
    intervalMs: 5_000,
    accuracy: "high",
    why: "the driver looks for them",
    holds: ({ kind, watched }) => kind === "rider" && watched,
  },
  {
    code: "RIDER",
    when: "any other rider",
    intervalMs: 60_000,
    accuracy: "low",
    why: "nobody asks",
    holds: ({ kind }) => kind === "rider",
  },
  {
    code: "NEAR_PICKUP",
    when: `on the way to the pickup, at most ${NEAR_PICKUP_M.enter} m from it, watched`,
    intervalMs: 2_000,
    accuracy: "high",
    why: "the rider looks out for the car",
    exact: true,
    holds: (input, stays) =>
      isWatchedTrip(input) &&
      input.tripStatus === "ENROUTE_TO_PICKUP" &&
      below(input.distanceToWaypointM, NEAR_PICKUP_M, stays),
  },
  {
    code: "AT_STOP",
    when: "arrived at a waypoint",
    intervalMs: 5_000,
    accuracy: "high",
    why: "the departure is to be seen soon",
    exact: true,
    holds: isArrived,
  },
  {
    code: "NEAR_STOP",
    when: `on the way to a waypoint, at most ${NEAR_STOP_M.enter} m from it`,
    intervalMs: 3_000,
    accuracy: "high",
    why: "the arrival is seen in the positions, whoever watches",
    exact: true,
    holds: (input, stays) =>
      isOnTrip(input) && input.tripStatus !== "NEW" && below(input.distanceToWaypointM, NEAR_STOP_M, stays),
  },
  {
    code: "TRIP_UNKNOWN",
    when: "it is not known whether there is a trip, as the trips store does not answer",
    intervalMs: 5_000,
    accuracy: "high",
    why: "a trip that goes on must be seen",
    holds: ({ tripStatus }) => tripStatus === "UNKNOWN",
  },
  {
    code: "OFFERED",
    when: "a trip is offered that the driver has not accepted",
    intervalMs: 5_000,
    accuracy: "high",
    why: "the rider is about to be shown the car",
    holds: ({ tripStatus }) => tripStatus === "NEW",
  },
  {
    code: "TURNING",
    when: `on a trip, watched, turning by ${TURNING_DEGPS.enter}° per second or more`,
    intervalMs: 3_000,
    accuracy: "high",
    why: "the marker would cut the corner",
    holds: (input, stays) => isWatchedTrip(input) && above(input.turningDegps, TURNING_DEGPS, stays),
  },
  {
    code: "FAST",
    when: `on a trip, watched, at ${FAST_MPS.enter} m/s or more`,
    intervalMs: 3_000,
    accuracy: "high",
    why: "the car moves far from one position to the next",
    holds: (input, stays) => isWatchedTrip(input) && above(input.speedMps, FAST_MPS, stays),
  },
  {
    code: "STANDING",
    when: `on a trip, watched, below ${STANDING_MPS.enter} m/s`,
    intervalMs: 5_000,
    accuracy: "high",
    why: "a car in a jam or at lights tells nothing new",
    holds: (input, stays) => isWatchedTrip(input) && below(input.speedMps, STANDING_MPS, stays),
  },
  {
    code: "ON_TRIP",
    when: "on a trip, watched",
    intervalMs: 4_000,
    accuracy: "high",
    why: "the normal case",
    holds: isWatchedTrip,
  },
  {
    code: "ON_TRIP_UNWATCHED",
    when: "on a trip that nobody watches",
    intervalMs: 8_000,
    accuracy: "high",
    why: "the safety floor: the trip is recorded and looked after all the same",
    holds: isOnTrip,
  },
  {
    code: "PARKED",
    when: `no trip, below ${STANDING_MPS.enter} m/s`,
    intervalMs: 20_000,
    accuracy: "balanced",
    why: "a free car that waits is found where it was",
    holds: ({ speedMps }, stays) => below(speedMps, STANDING_MPS, stays),
  },
  {
    code: "IDLE",
    when: "no trip",
    intervalMs: 10_000,
    accuracy: "balanced",
    why: "often enough to be found nearby",
    holds: () => true,
  },
];
