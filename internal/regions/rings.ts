import type { Position } from "geojson";
import { type Crossing, crossingsOf } from "./crossings.ts";
import { holeProblems } from "./holes.ts";
import { turn } from "./segment.ts";

/** A triangle and its first point again. */
const MIN_POSITIONS = 4;
const HALF_WAY_DEG = 180;
/** Problems named per polygon where rings cross or holes lie wrongly; a wrong order of rings makes hundreds. */
const MAX_NAMED = 3;

/**
 * The rings of one polygon, the outer one first. Reports positions that are none, out of range or too far apart, rings that
 * are too short, not closed or without any area; then rings that cross or touch themselves or cross each other; then holes
 * that are not inside the outer ring and outside each other.
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
  const crossings = crossingsOf(read).map(crossingText);
  const problems = crossings.length > 0 ? crossings : holeProblems(read);
  for (const problem of problems.slice(0, MAX_NAMED)) report(problem);
  if (problems.length > MAX_NAMED) report(`and so ${problems.length - MAX_NAMED} times more`);
  return problems.length > 0 ? undefined : read;
}

function crossingText({ rings: [first, second], place, times }: Crossing): string {
  const what = first === second ? "crosses or touches itself" : `crosses ring ${first}`;
  const more = times > 1 ? `, and ${times - 1} times more` : "";
  return `ring ${second} ${what} at ${placeText(place)}${more}`;
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
  return isLine(positions) ? "encloses nothing" : leapProblem(positions);
}

/** A line over more than half of the globe was meant to go the other way round: RFC 7946 section 3.1.9. */
function leapProblem(ring: readonly Position[]): string | undefined {
  const end = ring.findIndex(
    (position, i) => i > 0 && Math.abs(position[0]! - ring[i - 1]![0]!) > HALF_WAY_DEG,
  );
  if (end < 0) return undefined;
  const degrees = Math.abs(ring[end]![0]! - ring[end - 1]![0]!);
  return `goes ${Number(degrees.toFixed(6))}° of longitude from position ${end - 1} to ${end}; at most ${HALF_WAY_DEG}: cut the polygon at the antimeridian`;
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
