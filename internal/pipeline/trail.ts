import type { TrailPoint } from "../core/live.ts";

/** The trail is cut only when it is by this share too long, so that not every fix moves the whole array. */
const SLACK = 1 / 3;

/** Adds the newest point. The trail may exceed the limit by a third; readers take the last `limit` points. */
export function pushToTrail(trail: TrailPoint[], point: TrailPoint, limit: number): void {
  trail.push(point);
  if (trail.length > limit * (1 + SLACK)) trail.splice(0, trail.length - limit);
}

/** Adds a late point in order of time; false when it is there already or older than the last `limit` points. */
export function addToTrail(trail: TrailPoint[], point: TrailPoint, limit: number): boolean {
  let at = trail.length;
  while (at > 0 && trail[at - 1]!.capturedAtMs > point.capturedAtMs) at--;
  if (trail.length >= limit && at <= trail.length - limit) return false;
  if (at > 0 && trail[at - 1]!.capturedAtMs === point.capturedAtMs) return false;
  trail.splice(at, 0, point);
  if (trail.length > limit * (1 + SLACK)) trail.splice(0, trail.length - limit);
  return true;
}
