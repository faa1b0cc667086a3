/** Mean Earth radius R1 of the IUGG, metres. */
export const EARTH_RADIUS_M = 6_371_008.8;
const RAD = Math.PI / 180;
/** Length of one degree of latitude, metres. */
export const METRES_PER_DEGREE = EARTH_RADIUS_M * RAD;

export type LatLon = { latDeg: number; lonDeg: number };
/** A rectangle of latitudes and longitudes. `west > east` means that it crosses the 180th meridian. */
export type Rect = { southDeg: number; westDeg: number; northDeg: number; eastDeg: number };

/** Degrees of longitude from a to b the short way round, −180…180. */
export function lonDelta(fromDeg: number, toDeg: number): number {
  let delta = toDeg - fromDeg;
  if (delta > 180) delta -= 360;
  else if (delta < -180) delta += 360;
  return delta;
}

/** Longitude brought into −180…180. */
export function wrapLon(lonDeg: number): number {
  return lonDeg > 180 ? lonDeg - 360 : lonDeg < -180 ? lonDeg + 360 : lonDeg;
}

/**
 * Distance in metres on the sphere by the equirectangular approximation: within 0.1 % of the great circle up to
 * 100 km below 70° of latitude, and several times cheaper than haversine. Use {@link haversineM} for longer ones.
 */
export function distanceM(aLat: number, aLon: number, bLat: number, bLon: number): number {
  const x = lonDelta(aLon, bLon) * Math.cos(((aLat + bLat) / 2) * RAD);
  const y = bLat - aLat;
  return METRES_PER_DEGREE * Math.sqrt(x * x + y * y);
}

/** Great-circle distance in metres (haversine). */
export function haversineM(aLat: number, aLon: number, bLat: number, bLon: number): number {
  const dLat = (bLat - aLat) * RAD;
  const dLon = (bLon - aLon) * RAD;
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(aLat * RAD) * Math.cos(bLat * RAD) * Math.sin(dLon / 2) ** 2;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** Course from a to b, degrees clockwise from north, 0…360. */
export function bearingDeg(aLat: number, aLon: number, bLat: number, bLon: number): number {
  const x = lonDelta(aLon, bLon) * Math.cos(((aLat + bLat) / 2) * RAD);
  return (Math.atan2(x, bLat - aLat) / RAD + 360) % 360;
}

/** The point `metres` away from a point in the direction `bearing` (flat; up to a few kilometres). */
export function destination(latDeg: number, lonDeg: number, bearing: number, metres: number): LatLon {
  const dLat = (metres * Math.cos(bearing * RAD)) / METRES_PER_DEGREE;
  const dLon = (metres * Math.sin(bearing * RAD)) / (METRES_PER_DEGREE * Math.cos(latDeg * RAD));
  return { latDeg: latDeg + dLat, lonDeg: wrapLon(lonDeg + dLon) };
}

/** True when the point lies in the rectangle, borders included. */
export function rectContains(rect: Rect, latDeg: number, lonDeg: number): boolean {
  if (latDeg < rect.southDeg || latDeg > rect.northDeg) return false;
  return rect.westDeg <= rect.eastDeg
    ? lonDeg >= rect.westDeg && lonDeg <= rect.eastDeg
    : lonDeg >= rect.westDeg || lonDeg <= rect.eastDeg;
}

/** Degrees times 1e7 as an integer: about 1 cm, the resolution of the log, the history and the live stream. */
export function toE7(deg: number): number {
  return Math.round(deg * 1e7);
}

/** Inverse of {@link toE7}. */
export function fromE7(e7: number): number {
  return e7 / 1e7;
}
