import type { TripLive } from "../core/live.ts";
import type { TripState } from "./state.ts";

/** The trip's live state as it is now, for others to keep: the pipeline goes on changing its own. */
export function tripLive({ live, trail }: TripState): TripLive {
  return { ...live, trail: trail.toArray() };
}
