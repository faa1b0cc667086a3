import type { DeviceState, PartyKind } from "../core/fix.ts";
import type { TripStatus } from "../core/trip.ts";

/** In the order of their numbers in the contract, from 1. */
export const WANTED_ACCURACIES = ["low", "balanced", "high"] as const;
export type WantedAccuracy = (typeof WANTED_ACCURACIES)[number];

/** How busy this gateway is: 0 as usual, 1 busy, 2 overloaded. */
export type LoadLevel = 0 | 1 | 2;

/** What a wanted rate is decided from. What is not known of the movement is NaN. */
export type RateInput = {
  kind: PartyKind;
  /** Of the party's running trip; undefined without one, UNKNOWN while the trips store has not answered. */
  tripStatus: TripStatus | "UNKNOWN" | undefined;
  /** Somebody else looks at where the party is, or may do so. */
  watched: boolean;
  /** To the waypoint that the car is bound for or at, metres. */
  distanceToWaypointM: number;
  speedMps: number;
  /** How fast the course changes, degrees per second, never negative. */
  turningDegps: number;
  device: DeviceState;
  load: LoadLevel;
};
