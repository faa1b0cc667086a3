import type { FeatureCollection, LineString } from "geojson";
import type { StreetProperties } from "../../demo/city/decode-streets.ts";
import type { Place } from "../motion/flat-earth.ts";

/** The streets of a city, ready to be drawn and searched. */
export type Streets = {
  lines: FeatureCollection<LineString, StreetProperties>;
  /** West, south, east, north, degrees. */
  bounds: [number, number, number, number];
  /** To be shown on the map. */
  attribution: string;
};

/** Farther from any named street than this, a place has no street. */
const NEAR_M = 60;
const METRES_PER_DEGREE = 111_195;

/**
 * The name of the street at a place; undefined where none is near. Looks at every piece of every street, which takes a
 * few milliseconds for the demo city.
 */
export function nearestStreet(streets: Streets, place: Place): string | undefined {
  const perLon = METRES_PER_DEGREE * Math.cos((place.latDeg * Math.PI) / 180);
  let best = NEAR_M;
  let name: string | undefined;
  for (const { properties, geometry } of streets.lines.features) {
    if (properties.name === "") continue;
    // Metres east and north of the place.
    let fromE = Number.NaN;
    let fromN = Number.NaN;
    for (const [lon, lat] of geometry.coordinates as [number, number][]) {
      const toE = (lon - place.lonDeg) * perLon;
      const toN = (lat - place.latDeg) * METRES_PER_DEGREE;
      const metres = distanceToPiece(fromE, fromN, toE, toN, best);
      if (metres < best) {
        best = metres;
        name = properties.name;
      }
      fromE = toE;
      fromN = toN;
    }
  }
  return name;
}

/** Distance of the origin from a piece of a street; Infinity when it is clearly beyond `limit` or the piece is none. */
function distanceToPiece(aE: number, aN: number, bE: number, bN: number, limit: number): number {
  const clear =
    (aE > limit && bE > limit) ||
    (aE < -limit && bE < -limit) ||
    (aN > limit && bN > limit) ||
    (aN < -limit && bN < -limit);
  if (clear || Number.isNaN(aE)) return Number.POSITIVE_INFINITY;
  const e = bE - aE;
  const n = bN - aN;
  const share = Math.min(1, Math.max(0, -(aE * e + aN * n) / (e * e + n * n || 1)));
  return Math.hypot(aE + share * e, aN + share * n);
}
