import type { Position } from "geojson";
import { areaContains, areaOf, distanceToBorderM } from "./area.ts";
import type { RegionArea } from "./regions.ts";
import { boxesMeet, diagonalOf, placesOn, segmentsOf } from "./segment.ts";

/** Borders drawn twice differ a little: what is nearer to a border than this is on neither side of it. */
const TOLERANCE_M = 1;

/** Where a ring lies as seen from another: `along` is on it all the way. */
type Side = "inside" | "outside" | "across" | "along";

/**
 * What is wrong with the holes of a polygon, a line for each that is not inside the outer ring, or not outside the good
 * ones before it. Holes may touch the outer ring and each other.
 * @param rings each simple, the outer one first; no two cross
 */
export function holeProblems(rings: readonly Position[][]): string[] {
  const [outer, ...holes] = rings.map((ring) => areaOf([ring]));
  const good = new Map<number, RegionArea>();
  const problems: string[] = [];
  for (const [i, hole] of holes.entries()) {
    const problem = inOuter(hole, outer!) ?? besideHoles(hole, good);
    if (problem) problems.push(`ring ${i + 1}, a hole, ${problem}`);
    else good.set(i + 1, hole);
  }
  return problems;
}

function inOuter(hole: RegionArea, outer: RegionArea): string | undefined {
  switch (sideOf(hole, outer)) {
    case "inside":
      return undefined;
    case "along":
      return "is the outer ring again";
    case "across":
      return "crosses the outer ring";
    case "outside":
      return sideOf(outer, hole) === "outside"
        ? "lies outside the outer ring"
        : "is larger than the outer ring";
  }
}

/** @param others by the indices of their rings */
function besideHoles(hole: RegionArea, others: ReadonlyMap<number, RegionArea>): string | undefined {
  for (const [ring, other] of others) {
    const problem = besideHole(hole, other, ring);
    if (problem) return problem;
  }
  return undefined;
}

function besideHole(hole: RegionArea, other: RegionArea, ring: number): string | undefined {
  switch (sideOf(hole, other)) {
    case "inside":
      return `lies within the hole of ring ${ring}`;
    case "along":
      return `is the hole of ring ${ring} again`;
    case "across":
      return `crosses the hole of ring ${ring}`;
    case "outside":
      return sideOf(other, hole) === "outside" ? undefined : `holds the hole of ring ${ring}`;
  }
}

/** @param ring, border each of one ring that is the border of the area */
function sideOf(ring: RegionArea, border: RegionArea): Side {
  if (!boxesMeet(diagonalOf(ring.bounds), diagonalOf(border.bounds))) return "outside";
  const lines = border.polygon.coordinates.flatMap(segmentsOf);
  const seen = { inside: false, outside: false };
  for (const line of ring.polygon.coordinates.flatMap(segmentsOf)) {
    for (const [lonDeg, latDeg] of placesOn(line, lines) as [number, number][]) {
      const side = areaContains(border, latDeg, lonDeg) ? "inside" : "outside";
      // The distance is looked at only until a place of the side is found: it costs more than the side itself.
      if (!seen[side] && distanceToBorderM(border, latDeg, lonDeg, TOLERANCE_M) > TOLERANCE_M)
        seen[side] = true;
    }
    if (seen.inside && seen.outside) return "across";
  }
  return seen.inside ? "inside" : seen.outside ? "outside" : "along";
}
