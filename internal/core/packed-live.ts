import type { TripLive } from "./live.ts";
import { Trail } from "./trail.ts";

/** A trip's live state as who computes it holds it: the trail as numbers, and changed from fix to fix. */
export type PackedLive = { live: Omit<TripLive, "trail">; trail: Trail };

/** As it is now, for others to keep. */
export function unpackLive({ live, trail }: PackedLive): TripLive {
  return { ...live, trail: trail.toArray() };
}

/** Inverse of {@link unpackLive}. */
export function packLive({ trail, ...live }: TripLive): PackedLive {
  return { live, trail: Trail.of(trail) };
}
