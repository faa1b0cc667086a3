import type { LivePosition, TrailPoint } from "../core/live.ts";

/** The place of a position in the trail. */
export function trailPointOf(position: LivePosition): TrailPoint {
  return { latDeg: position.latDeg, lonDeg: position.lonDeg, capturedAtMs: position.capturedAtMs };
}

/**
 * The trail with further points: the newest `limit`, oldest first, each once. A trail is a set under a total order (time,
 * then place), so that it does not matter in which order or in which message its points came. The argument is not touched.
 */
export function withPoints(
  trail: readonly TrailPoint[],
  points: readonly TrailPoint[],
  limit: number,
): TrailPoint[] {
  const next = trail.slice();
  for (const point of points) insert(next, point);
  return next.length > limit ? next.slice(next.length - limit) : next;
}

function insert(trail: TrailPoint[], point: TrailPoint): void {
  let at = trail.length;
  while (at > 0) {
    const order = compare(trail[at - 1]!, point);
    if (order === 0) return;
    if (order < 0) break;
    at--;
  }
  if (at === trail.length) trail.push(point);
  else trail.splice(at, 0, point);
}

function compare(a: TrailPoint, b: TrailPoint): number {
  return a.capturedAtMs - b.capturedAtMs || a.latDeg - b.latDeg || a.lonDeg - b.lonDeg;
}
