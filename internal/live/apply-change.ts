import { DEFAULT_LIMITS, type Limits } from "../core/limits.ts";
import type { LiveChange, TripLive } from "../core/live.ts";
import type { Trip } from "../core/trip.ts";
import { trailPointOf, withPoints } from "./trail.ts";

/** The slice of core/limits.ts that live state needs. */
export type LiveLimits = Pick<Limits, "maxTrailPoints" | "liveAfterEndMs">;

/**
 * The live state after a change. Pure: the state before is not touched, parts that did not change are shared. The new
 * position and late points join the trail, which holds the position itself too. A change of a later generation begins
 * anew: no position, no trail, no device but its own. Whether the change is the next one is for the caller to know.
 */
export function applyChange(
  live: TripLive,
  change: LiveChange,
  limits: LiveLimits = DEFAULT_LIMITS,
): TripLive {
  const anew = change.version.generation > live.version.generation;
  const trip = change.trip ?? live.trip;
  const points = pointsOf(change);
  const trail = anew ? [] : live.trail;
  return {
    tripId: live.tripId,
    version: change.version,
    trip,
    position: change.position ?? (anew ? undefined : live.position),
    trail: points.length === 0 ? trail : withPoints(trail, points, limits.maxTrailPoints),
    device: change.device ?? (anew ? undefined : live.device),
    dropAtMs: change.trip ? dropAtMs(trip, limits) : live.dropAtMs,
  };
}

/** The live state that the first change of a generation makes; undefined for a change that needs a state before it. */
export function startLive(change: LiveChange, limits: LiveLimits = DEFAULT_LIMITS): TripLive | undefined {
  if (!change.trip || !isFirst(change)) return undefined;
  const empty: TripLive = {
    tripId: change.tripId,
    version: change.previous,
    trip: change.trip,
    position: undefined,
    trail: [],
    device: undefined,
    dropAtMs: 0,
  };
  return applyChange(empty, change, limits);
}

/** True for the first change of a generation: it needs nothing before it. */
export function isFirst(change: LiveChange): boolean {
  return change.previous.sequence === 0 && change.previous.index === 0;
}

/** The points that a change adds to the trail. */
export function pointsOf(change: LiveChange): NonNullable<LiveChange["latePoints"]> {
  const late = change.latePoints ?? [];
  return change.position ? [...late, trailPointOf(change.position)] : late;
}

/** When live access to the trip ends; 0 while it runs. */
function dropAtMs(trip: Trip, limits: LiveLimits): number {
  return trip.endedAtMs > 0 ? trip.endedAtMs + limits.liveAfterEndMs : 0;
}
