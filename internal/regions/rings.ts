import type { Position } from "geojson";
import { crossing, segmentsOf, turn } from "./segment.ts";

/** A triangle and its first point again. */
const MIN_POSITIONS = 4;
/** Crossings named per polygon; a wrong order of points makes hundreds. */
const MAX_CROSSINGS = 3;

/**
 * The rings of one polygon, the outer one first. Reports positions that are none, out of range, rings that are too short,
 * not closed or without any area, and lines that go through each other (within a ring or between rings).
 * @returns undefined when something was wrong
 */
export function readRings(
  rings: readonly unknown[],
  report: (problem: string) => void,
): Position[][] | undefined {
  let good = rings.length > 0;
  if (!good) report("is empty: it has no ring");
  for (const [index, ring] of rings.entries()) {
    const problem = ringProblem(ring);
    if (problem === undefined) continue;
    report(`ring ${index} ${problem}`);
    good = false;
  }
  if (!good) return undefined;
  const read = rings as Position[][];
  const crossings = crossingsOf(read);
  for (const place of crossings.slice(0, MAX_CROSSINGS))
    report(`its lines cross themselves at ${placeText(place)}`);
  if (crossings.length > MAX_CROSSINGS) report(`and cross ${crossings.length - MAX_CROSSINGS} times more`);
  return crossings.length > 0 ? undefined : read;
}

/** A place as people read it: latitude, then longitude. */
export function placeText([lonDeg, latDeg]: Position): string {
  return `latitude ${latDeg!.toFixed(6)}, longitude ${lonDeg!.toFixed(6)}`;
}

function ringProblem(ring: unknown): string | undefined {
  if (!Array.isArray(ring)) return "is no list of positions";
  const bad = ring.findIndex((position) => !isPosition(position));
  if (bad >= 0) return `position ${bad} is not [longitude −180…180, latitude −90…90]`;
  const positions = ring as Position[];
  if (positions.length < MIN_POSITIONS) return `has ${positions.length} positions; at least ${MIN_POSITIONS}`;
  if (!isSame(positions[0]!, positions.at(-1)!)) return "is not closed: its last position must be its first";
  return isLine(positions) ? "encloses nothing" : undefined;
}

function isPosition(position: unknown): boolean {
  if (!Array.isArray(position) || position.length < 2 || position.length > 3) return false;
  const [lonDeg, latDeg] = position as unknown[];
  return isWithin(lonDeg, 180) && isWithin(latDeg, 90);
}

function isWithin(value: unknown, most: number): boolean {
  return typeof value === "number" && Math.abs(value) <= most;
}

function isSame(a: Position, b: Position): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

/** True when all positions lie on one line. */
function isLine(ring: readonly Position[]): boolean {
  const start = ring[0]!;
  const other = ring.find((position) => !isSame(position, start));
  return other === undefined || ring.every((position) => turn(start, other, position) === 0);
}

/** Where lines of the rings go through each other. Sorted by west end, so that only neighbours are compared. */
function crossingsOf(rings: readonly Position[][]): Position[] {
  const west = ([a, b]: readonly [Position, Position]) => Math.min(a[0]!, b[0]!);
  const east = ([a, b]: readonly [Position, Position]) => Math.max(a[0]!, b[0]!);
  const lines = rings.flatMap(segmentsOf).sort((a, b) => west(a) - west(b));
  const crossings: Position[] = [];
  for (const [i, line] of lines.entries()) {
    const reach = east(line);
    for (let k = i + 1; k < lines.length && west(lines[k]!) <= reach; k++) {
      const place = crossing(line, lines[k]!);
      if (place) crossings.push(place);
    }
  }
  return crossings;
}
