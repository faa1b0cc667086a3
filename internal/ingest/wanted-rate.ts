import type { Trip } from "../core/trip.ts";

/** In the order of their numbers in the contract, from 1. */
export const WANTED_ACCURACIES = ["low", "balanced", "high"] as const;

/** How often to send, how accurately, and why. */
export type WantedRate = {
  intervalMs: number;
  accuracy: (typeof WANTED_ACCURACIES)[number];
  reason: "ON_TRIP" | "IDLE";
};

/** Somebody watches: often enough for a marker that moves smoothly. */
const ON_TRIP: WantedRate = Object.freeze({ intervalMs: 4_000, accuracy: "high", reason: "ON_TRIP" });
/** Nobody watches: often enough to be found nearby, and kind to the battery. */
const IDLE: WantedRate = Object.freeze({ intervalMs: 10_000, accuracy: "balanced", reason: "IDLE" });

/** How often a party is to send, by the trip it is on. Pure. */
export function wantedRateFor(trip: Trip | undefined): WantedRate {
  return trip ? ON_TRIP : IDLE;
}
