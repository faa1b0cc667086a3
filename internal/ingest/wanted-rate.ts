import type { Trip } from "../core/trip.ts";
import type { WantedRate } from "./messages.ts";

/** Somebody watches: often enough for a marker that moves smoothly. */
const ON_TRIP: WantedRate = Object.freeze({ intervalMs: 4_000, reason: "ON_TRIP" });
/** Nobody watches: often enough to be found nearby, and kind to the battery. */
const IDLE: WantedRate = Object.freeze({ intervalMs: 10_000, reason: "IDLE" });

/** How often a party is to send, by the trip it is on. Pure. */
export function wantedRateFor(trip: Trip | undefined): WantedRate {
  return trip ? ON_TRIP : IDLE;
}
