import { DEFAULT_LIMITS } from "../core/limits.ts";
import type { LiveChange, TrailPoint } from "../core/live.ts";
import type { LiveLimits } from "./apply-change.ts";
import { trailPointOf, withPoints } from "./trail.ts";

/**
 * One change that does what two consecutive ones do: applied to the state before `first` it gives the state after
 * `second`. The newest position wins, the one it overtakes becomes a late point, and at most `maxTrailPoints` of those
 * are kept, the newest. The first change of a generation needs nothing before it and stays as it is. Two changes that both carry the trip are events and stay two: see {@link enqueue}.
 */
export function conflate(
  first: LiveChange,
  second: LiveChange,
  limits: LiveLimits = DEFAULT_LIMITS,
): LiveChange {
  if (second.version.generation > first.version.generation) return second;
  const position = second.position ?? first.position;
  const overtaken = second.position && first.position ? [trailPointOf(first.position)] : [];
  const late = [...(first.latePoints ?? []), ...overtaken, ...(second.latePoints ?? [])];
  const merged: LiveChange = { tripId: second.tripId, version: second.version, previous: first.previous };
  if (position) merged.position = position;
  if (late.length > 0) merged.latePoints = withPoints([], late, limits.maxTrailPoints);
  const trip = second.trip ?? first.trip;
  if (trip) merged.trip = trip;
  const device = second.device ?? first.device;
  if (device) merged.device = device;
  return merged;
}

/**
 * Adds the next change to those that wait for a viewer. States merge with their neighbours; events, the changes with a
 * trip, all stay, in order. So the queue never holds more items than events plus one, and as the trail points of the items
 * before move to the last one, never more than `maxTrailPoints` late points in all (as long as no single change brings more). Applying the queue gives the same
 * state as applying all the changes.
 */
export function enqueue(queue: LiveChange[], change: LiveChange, limits: LiveLimits = DEFAULT_LIMITS): void {
  const last = queue.at(-1);
  if (!last) {
    queue.push(change);
  } else if (!last.trip || !change.trip) {
    queue[queue.length - 1] = conflate(last, change, limits);
  } else {
    const { latePoints, ...event } = last;
    queue[queue.length - 1] = event;
    const moves = latePoints && change.version.generation === last.version.generation;
    queue.push(moves ? { ...change, latePoints: gathered(latePoints, change, limits) } : change);
  }
}

function gathered(points: readonly TrailPoint[], change: LiveChange, limits: LiveLimits): TrailPoint[] {
  return withPoints([], [...points, ...(change.latePoints ?? [])], limits.maxTrailPoints);
}
