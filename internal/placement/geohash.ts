import type { LatLon } from "../core/geo.ts";

const BASE32 = "0123456789bcdefghjkmnpqrstuvwxyz";
/** Longest geohash that is read: about 4 by 2 cm, beyond what any receiver measures. */
const MAX_LENGTH = 12;

/** The centre of a geohash's cell (G. Niemeyer, 2008), in small or capital letters; undefined when it is none. */
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
