import type { FeatureCollection, LineString } from "geojson";
import { decodeStreets, type PackedStreets, type StreetProperties } from "../../demo/city/decode-streets.ts";
import streetsUrl from "../../demo/city/streets.json?url";
import { distanceM, type Place } from "../motion/flat-earth.ts";

export type Streets = {
  lines: FeatureCollection<LineString, StreetProperties>;
  /** West, south, east, north, degrees. */
  bounds: [number, number, number, number];
  /** To be shown on the map. */
  attribution: string;
};

/** Loads the streets of the demo city: an asset of its own, so that the page stands before it. */
export async function loadStreets(): Promise<Streets> {
  const response = await fetch(streetsUrl);
  if (!response.ok) throw new Error(`streets: status ${response.status}`);
  const packed = (await response.json()) as PackedStreets;
  return { lines: decodeStreets(packed), bounds: packed.bounds, attribution: packed.attribution };
}

/** Farther from any named street than this, a place has no street. */
const NEAR_M = 60;

/**
 * The name of the street at a place; undefined where none is near. Looks at corner points and the middles of pieces,
 * which is enough for words, and takes about a millisecond for the demo city.
 */
export function nearestStreet(streets: Streets, place: Place): string | undefined {
  const dLat = 0.0012;
  const dLon = dLat / Math.cos((place.latDeg * Math.PI) / 180);
  let best = NEAR_M;
  let name: string | undefined;
  for (const feature of streets.lines.features) {
    if (feature.properties.name === "") continue;
    const { coordinates } = feature.geometry;
    for (let i = 0; i < coordinates.length; i++) {
      const [lon, lat] = coordinates[i]! as [number, number];
      if (Math.abs(lat - place.latDeg) > dLat || Math.abs(lon - place.lonDeg) > dLon) continue;
      const [nextLon, nextLat] = (coordinates[i + 1] ?? coordinates[i]!) as [number, number];
      const middle = { latDeg: (lat + nextLat) / 2, lonDeg: (lon + nextLon) / 2 };
      const metres = Math.min(distanceM(place, { latDeg: lat, lonDeg: lon }), distanceM(place, middle));
      if (metres < best) {
        best = metres;
        name = feature.properties.name;
      }
    }
  }
  return name;
}
