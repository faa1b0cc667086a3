import type { PackedStreets } from "../../demo/city/decode-streets.ts";
import { CITY_ATTRIBUTION, ROAD_CLASSES } from "../../demo/city/road-classes.ts";
import { packVarints } from "../../demo/city/varints.ts";
import { METRES_PER_DEGREE } from "../../internal/core/geo.ts";
import type { Position, Way } from "./read-ways.ts";

/** How far a point that is left out may lie from the line that stays. */
const TOLERANCE_M = 0.5;
/** A unit is 28 cm north and 15 cm east: less than a pixel at zoom 18. */
const UNITS_PER_DEGREE = 400_000;

/** Distance in metres of a point from the segment a–b. */
function offLineM(point: Position, a: Position, b: Position): number {
  const east = Math.cos((a[1] * Math.PI) / 180) * METRES_PER_DEGREE;
  const [bx, by] = [(b[0] - a[0]) * east, (b[1] - a[1]) * METRES_PER_DEGREE];
  const [px, py] = [(point[0] - a[0]) * east, (point[1] - a[1]) * METRES_PER_DEGREE];
  const squared = bx * bx + by * by;
  const share = squared === 0 ? 0 : Math.max(0, Math.min(1, (px * bx + py * by) / squared));
  return Math.hypot(px - share * bx, py - share * by);
}

/** The line with fewer points (Douglas and Peucker, 1973). */
export function simplify(points: Position[], toleranceM: number): Position[] {
  const first = points[0]!;
  const last = points[points.length - 1]!;
  let farthest = 0;
  let farthestM = toleranceM;
  for (let i = 1; i < points.length - 1; i++) {
    const off = offLineM(points[i]!, first, last);
    if (off > farthestM) [farthest, farthestM] = [i, off];
  }
  if (farthest === 0) return [first, last];
  const head = simplify(points.slice(0, farthest + 1), toleranceM);
  return [...head.slice(0, -1), ...simplify(points.slice(farthest), toleranceM)];
}

/** The base map of the page. Inverse: `decodeStreets`. */
export function packStreets(ways: Way[]): PackedStreets {
  const names = ["", ...new Set(ways.map((way) => way.name).filter((name) => name !== ""))];
  const nameIndex = new Map(names.map((name, index) => [name, index]));
  const values: number[] = [];
  const bounds: PackedStreets["bounds"] = [180, 90, -180, -90];
  let last: Position = [0, 0];
  for (const roadClass of ROAD_CLASSES.toReversed()) {
    for (const way of ways.filter((candidate) => candidate.class === roadClass)) {
      const points = simplify(way.points, TOLERANCE_M);
      values.push(ROAD_CLASSES.indexOf(roadClass), nameIndex.get(way.name)!, points.length);
      for (const [lon, lat] of points) {
        const at: Position = [Math.round(lon * UNITS_PER_DEGREE), Math.round(lat * UNITS_PER_DEGREE)];
        values.push(at[0] - last[0], at[1] - last[1]);
        last = at;
        bounds[0] = Math.min(bounds[0], lon);
        bounds[1] = Math.min(bounds[1], lat);
        bounds[2] = Math.max(bounds[2], lon);
        bounds[3] = Math.max(bounds[3], lat);
      }
    }
  }
  return {
    schema: "bimride.streets/1",
    attribution: CITY_ATTRIBUTION,
    bounds,
    unitsPerDegree: UNITS_PER_DEGREE,
    names,
    lines: packVarints(values),
  };
}
