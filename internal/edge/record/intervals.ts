import type { Party } from "../../core/fix.ts";
import type { Trip } from "../../core/trip.ts";

/** Who drove a trip when, by corrected capture time; both ends belong to it. */
export type Interval = { party: Party; fromMs: number; toMs: number };

/** The intervals of a trip, in order and without overlap. An assignment still open lasts until the trip's end, or for ever. */
export function intervalsOf(trip: Trip): Interval[] {
  return trip.assignments.map(({ driverId, fromMs, toMs }, i) => {
    const endMs = toMs || trip.endedAtMs || Number.MAX_SAFE_INTEGER;
    const nextMs = trip.assignments[i + 1]?.fromMs;
    const lastMs = nextMs !== undefined && nextMs <= endMs ? nextMs - 1 : endMs;
    return { party: { kind: "driver", id: driverId }, fromMs, toMs: lastMs };
  });
}
