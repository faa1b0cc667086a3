import type { FeatureCollection, LineString } from "geojson";
import { ROAD_CLASSES, type RoadClass } from "./road-classes.ts";
import { readVarints } from "./varints.ts";

/** The content of streets.json, written by scripts/city/convert.ts. */
export type PackedStreets = {
  schema: "bimride.streets/1";
  /** To be shown on the map. */
  attribution: string;
  /** West, south, east, north, degrees. */
  bounds: [number, number, number, number];
  /** Packed coordinates are degrees times this. */
  unitsPerDegree: number;
  /** Street names; the first is empty. */
  names: string[];
  /**
   * Packed numbers. Per street: class (its place in ROAD_CLASSES), name (its place in `names`), count of points, then
   * longitude and latitude of each point less those of the point before it, in the first of a street those of the
   * last of the street before. Minor streets come first, so that major ones are painted over them.
   */
  lines: string;
};

export type StreetProperties = { class: RoadClass; name: string };

/**
 * The streets as GeoJSON, a LineString each, within 0.7 m of the source. Pure; takes some 50 ms for the demo city.
 * Throws a RangeError when the data is cut short or of another schema.
 */
export function decodeStreets(packed: PackedStreets): FeatureCollection<LineString, StreetProperties> {
  if (packed.schema !== "bimride.streets/1") throw new RangeError(`unknown schema ${packed.schema}`);
  const reader = readVarints(packed.lines);
  const features: FeatureCollection<LineString, StreetProperties>["features"] = [];
  let lon = 0;
  let lat = 0;
  while (!reader.done()) {
    const roadClass = ROAD_CLASSES[reader.next()];
    const name = packed.names[reader.next()];
    if (roadClass === undefined || name === undefined) throw new RangeError("unknown class or name");
    const coordinates: [number, number][] = [];
    for (let left = reader.next(); left > 0; left--) {
      lon += reader.next();
      lat += reader.next();
      coordinates.push([lon / packed.unitsPerDegree, lat / packed.unitsPerDegree]);
    }
    features.push({
      type: "Feature",
      properties: { class: roadClass, name },
      geometry: { type: "LineString", coordinates },
    });
  }
  return { type: "FeatureCollection", features };
}
