import type { Position } from "geojson";
import { METRES_PER_DEGREE, type Rect } from "../core/geo.ts";

const RAD = Math.PI / 180;
/** A place nearer to a line than this lies on it: 0.01 mm, far above the rounding of degrees. */
const ON_LINE_DEG = 1e-10;

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

/** From corner to corner of the rectangle. */
export function diagonalOf({ southDeg, westDeg, northDeg, eastDeg }: Rect): Segment {
  return [
    [westDeg, southDeg],
    [eastDeg, northDeg],
  ];
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

/** True when both ends are one place, but for rounding. */
export function isPoint([a, b]: Segment): boolean {
  return Math.hypot(b[0]! - a[0]!, b[1]! - a[1]!) <= ON_LINE_DEG;
}

/** Ends of the other line that lie on this one: where the two touch, or run along each other. */
export function touching(line: Segment, other: Segment): Position[] {
  if (!boxesMeet(line, other)) return [];
  const [a, b] = line;
  const most = ON_LINE_DEG * Math.hypot(b[0]! - a[0]!, b[1]! - a[1]!);
  return other.filter((end) => Math.abs(turn(a, b, end)) <= most && boxesMeet(line, [end, end]));
}

/**
 * Places that tell on which side of a border a line lies: its start, and the middle of each piece between two meetings
 * with the border, as a piece is on one side as a whole.
 */
export function placesOn(line: Segment, border: readonly Segment[]): Position[] {
  const [start, end] = line;
  const cuts = border.flatMap((other) => {
    const through = crossing(line, other);
    return through ? [through] : touching(line, other);
  });
  const along = (place: Position) => Math.hypot(place[0]! - start[0]!, place[1]! - start[1]!);
  const stops = [start, ...cuts, end].sort((p, q) => along(p) - along(q));
  return [start, ...stops.slice(1).map((stop, i) => middle(stops[i]!, stop))];
}

function middle(a: Position, b: Position): Position {
  return [(a[0]! + b[0]!) / 2, (a[1]! + b[1]!) / 2];
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
