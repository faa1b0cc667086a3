import { booleanPointInPolygon } from "@turf/boolean-point-in-polygon";
import type { Position } from "geojson";
import { METRES_PER_DEGREE, type Rect, rectContains } from "../core/geo.ts";
import type { RegionArea } from "./regions.ts";
import { distanceToSegmentM } from "./segment.ts";

const RAD = Math.PI / 180;

/** The polygon with its rectangle, reckoned once. @param rings closed, the outer one first, then holes */
export function areaOf(rings: Position[][]): RegionArea {
  const outer = rings[0] ?? [];
  const bounds: Rect = { southDeg: 90, westDeg: 180, northDeg: -90, eastDeg: -180 };
  for (const [lonDeg, latDeg] of outer as [number, number][]) {
    bounds.southDeg = Math.min(bounds.southDeg, latDeg);
    bounds.northDeg = Math.max(bounds.northDeg, latDeg);
    bounds.westDeg = Math.min(bounds.westDeg, lonDeg);
    bounds.eastDeg = Math.max(bounds.eastDeg, lonDeg);
  }
  return { polygon: { type: "Polygon", coordinates: rings }, bounds };
}

/** True when the place is in the polygon or on its border. */
export function areaContains(area: RegionArea, latDeg: number, lonDeg: number): boolean {
  return rectContains(area.bounds, latDeg, lonDeg) && booleanPointInPolygon([lonDeg, latDeg], area.polygon);
}

/**
 * Metres from a place to the polygon's border, also across the 180th meridian; Infinity when it is more than `reachM`
 * outside the polygon's rectangle.
 */
export function distanceToBorderM(area: RegionArea, latDeg: number, lonDeg: number, reachM: number): number {
  let nearestM = Number.POSITIVE_INFINITY;
  for (const lon of [lonDeg, lonDeg - 360, lonDeg + 360]) {
    if (!isNearRect(area.bounds, latDeg, lon, reachM)) continue;
    for (const ring of area.polygon.coordinates) {
      for (let i = 1; i < ring.length; i++)
        nearestM = Math.min(nearestM, distanceToSegmentM([lon, latDeg], [ring[i - 1]!, ring[i]!]));
    }
  }
  return nearestM;
}

function isNearRect(rect: Rect, latDeg: number, lonDeg: number, reachM: number): boolean {
  const north = reachM / METRES_PER_DEGREE;
  if (latDeg < rect.southDeg - north || latDeg > rect.northDeg + north) return false;
  const cos = Math.cos(latDeg * RAD);
  const east = cos > 0 ? north / cos : Number.POSITIVE_INFINITY;
  return lonDeg >= rect.westDeg - east && lonDeg <= rect.eastDeg + east;
}
