import type { Position } from "geojson";
import { METRES_PER_DEGREE } from "../core/geo.ts";

const RAD = Math.PI / 180;

/** A line between two places, each [longitude, latitude] in degrees. */
export type Segment = readonly [Position, Position];

/** The lines of a closed ring. */
export function segmentsOf(ring: readonly Position[]): Segment[] {
  return ring.slice(1).map((end, i) => [ring[i]!, end]);
}

/** Twice the area of the triangle abc in square degrees: positive when c lies to the left of the line from a to b. */
export function turn(a: Position, b: Position, c: Position): number {
  return (b[0]! - a[0]!) * (c[1]! - a[1]!) - (b[1]! - a[1]!) * (c[0]! - a[0]!);
}

/** True when the rectangles around the two lines meet. */
export function boxesMeet([a, b]: Segment, [c, d]: Segment): boolean {
  return (
    Math.max(a[0]!, b[0]!) >= Math.min(c[0]!, d[0]!) &&
    Math.max(c[0]!, d[0]!) >= Math.min(a[0]!, b[0]!) &&
    Math.max(a[1]!, b[1]!) >= Math.min(c[1]!, d[1]!) &&
    Math.max(c[1]!, d[1]!) >= Math.min(a[1]!, b[1]!)
  );
}

/** Where the two lines go through each other; undefined when they don't meet or only touch. */
export function crossing(first: Segment, second: Segment): Position | undefined {
  if (!boxesMeet(first, second)) return undefined;
  const [a, b] = first;
  const [c, d] = second;
  const fromC = turn(a, b, c);
  const fromD = turn(a, b, d);
  if (fromC * fromD >= 0 || turn(c, d, a) * turn(c, d, b) >= 0) return undefined;
  const share = fromC / (fromC - fromD);
  return [c[0]! + share * (d[0]! - c[0]!), c[1]! + share * (d[1]! - c[1]!)];
}

/** Metres from the place to the line, flat around the place: right to 1 % up to 50 km below 70° of latitude. */
export function distanceToSegmentM(place: Position, [a, b]: Segment): number {
  const east = METRES_PER_DEGREE * Math.cos(place[1]! * RAD);
  const ax = (a[0]! - place[0]!) * east;
  const ay = (a[1]! - place[1]!) * METRES_PER_DEGREE;
  const dx = (b[0]! - a[0]!) * east;
  const dy = (b[1]! - a[1]!) * METRES_PER_DEGREE;
  const length2 = dx * dx + dy * dy;
  const share = length2 > 0 ? Math.min(1, Math.max(0, -(ax * dx + ay * dy) / length2)) : 0;
  return Math.hypot(ax + share * dx, ay + share * dy);
}
