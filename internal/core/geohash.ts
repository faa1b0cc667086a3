import type { LatLon } from "./geo.ts";

const BASE32 = "0123456789bcdefghjkmnpqrstuvwxyz";
/** Longest geohash that is read: about 4 by 2 cm, beyond what any receiver measures. */
const MAX_LENGTH = 12;

/** The geohash (G. Niemeyer, 2008) of a point with so many letters, 1 to 12. */
export function geohashOf(latDeg: number, lonDeg: number, length: number): string {
  const half = { lat: 90, lon: 180 };
  const at = { lat: 0, lon: 0 };
  const wanted = { lat: latDeg, lon: lonDeg };
  let axis: "lat" | "lon" = "lon";
  let text = "";
  while (text.length < length) {
    let bits = 0;
    for (let bit = 16; bit > 0; bit >>= 1) {
      half[axis] /= 2;
      const above = wanted[axis] >= at[axis];
      if (above) bits |= bit;
      at[axis] += above ? half[axis] : -half[axis];
      axis = axis === "lon" ? "lat" : "lon";
    }
    text += BASE32[bits];
  }
  return text;
}

/** The centre of a geohash's cell, in small or capital letters; undefined when it is none. */
export function geohashCentre(geohash: string): LatLon | undefined {
  if (geohash === "" || geohash.length > MAX_LENGTH) return undefined;
  const half = { lat: 90, lon: 180 };
  const at = { lat: 0, lon: 0 };
  let axis: "lat" | "lon" = "lon";
  for (const letter of geohash.toLowerCase()) {
    const bits = BASE32.indexOf(letter);
    if (bits < 0) return undefined;
    for (let bit = 16; bit > 0; bit >>= 1) {
      half[axis] /= 2;
      at[axis] += bits & bit ? half[axis] : -half[axis];
      axis = axis === "lon" ? "lat" : "lon";
    }
  }
  return { latDeg: at.lat, lonDeg: at.lon };
}
