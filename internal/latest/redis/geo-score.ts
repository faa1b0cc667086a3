/** Latitudes that Redis's GEO knows, to either side; those of the Web Mercator projection. */
const MAX_LAT_DEG = 85.05112878;
const MAX_LON_DEG = 180;
/** Bits per axis, cut into halves of 13 so that the interleaved halves fit into 32-bit numbers. */
const STEPS = 2 ** 26;
const HALF_BITS = 13;
const HALF = (1 << HALF_BITS) - 1;

/**
 * The score under which Redis's GEO keeps a place in a sorted set: its geohash of 52 bits, longitude and latitude taking
 * turns, as `geohashEncode` of Redis's geohash.c. Written by ZADD it costs the server half of what GEOADD does. Places
 * nearer to a pole than GEO knows lie at its border, those at 180° a hair west of it.
 */
export function geoScore(latDeg: number, lonDeg: number): number {
  const lat = step(latDeg, MAX_LAT_DEG);
  const lon = step(lonDeg, MAX_LON_DEG);
  const upper = spread(lat >> HALF_BITS) | (spread(lon >> HALF_BITS) << 1);
  const lower = spread(lat & HALF) | (spread(lon & HALF) << 1);
  return upper * STEPS + lower;
}

/** Bits per axis that a coarse score leaves out: 72 m of latitude, 153 m × cos(lat) of longitude. */
const COARSE_BITS = 8;
const COARSE = 4 ** COARSE_BITS;
const HEIGHT_M = 72.2;
const WIDTH_M = 152.9;
const RAD = Math.PI / 180;

/**
 * The score of the middle of a rectangle that the place is in: a car then changes its score with every second or third fix
 * only, and Redis does less. {@link coarseErrorM} is the price.
 */
export function coarseScore(score: number): number {
  return score - (score % COARSE) + (3 * COARSE) / 4;
}

/** Places of this latitude and nearer to a pole are at most so far from that of their coarse score, metres. */
export function coarseErrorM(latDeg: number): number {
  return Math.hypot(HEIGHT_M, WIDTH_M * Math.cos(latDeg * RAD)) / 2;
}

function step(degrees: number, max: number): number {
  const at = Math.floor(((degrees + max) / (2 * max)) * STEPS);
  return at < 0 ? 0 : at >= STEPS ? STEPS - 1 : at;
}

/** The lower 13 bits with a gap before each ("Interleave bits by Binary Magic Numbers", S. E. Anderson). */
function spread(bits: number): number {
  let x = (bits | (bits << 8)) & 0x00ff00ff;
  x = (x | (x << 4)) & 0x0f0f0f0f;
  x = (x | (x << 2)) & 0x33333333;
  return (x | (x << 1)) & 0x55555555;
}
