const RAD = Math.PI / 180;
/** Length of one degree of latitude on the sphere of mean radius R1 (IUGG), metres. */
const METRES_PER_DEGREE = 6_371_008.8 * RAD;

export type Place = { latDeg: number; lonDeg: number };

/** Metres east and north from a to b, on the plane through a; good to 0.1 % for some kilometres. */
function offsetM(a: Place, b: Place): { eastM: number; northM: number } {
  let dLon = b.lonDeg - a.lonDeg;
  if (dLon > 180) dLon -= 360;
  else if (dLon < -180) dLon += 360;
  const scale = Math.cos(((a.latDeg + b.latDeg) / 2) * RAD);
  return { eastM: dLon * scale * METRES_PER_DEGREE, northM: (b.latDeg - a.latDeg) * METRES_PER_DEGREE };
}

/** Distance in metres. */
export function distanceM(a: Place, b: Place): number {
  const { eastM, northM } = offsetM(a, b);
  return Math.hypot(eastM, northM);
}

/** Course from a to b, degrees clockwise from north, 0…360. */
export function courseDeg(a: Place, b: Place): number {
  const { eastM, northM } = offsetM(a, b);
  return normaliseDeg(Math.atan2(eastM, northM) / RAD);
}

/** The place so many metres away in a direction. */
export function ahead(from: Place, headingDeg: number, metres: number): Place {
  const latDeg = from.latDeg + (metres * Math.cos(headingDeg * RAD)) / METRES_PER_DEGREE;
  const perLon = METRES_PER_DEGREE * Math.cos(from.latDeg * RAD);
  return { latDeg, lonDeg: wrapLon(from.lonDeg + (metres * Math.sin(headingDeg * RAD)) / perLon) };
}

/** The place a share (0…1) of the way from a to b, the short way round. */
export function between(a: Place, b: Place, share: number): Place {
  let dLon = b.lonDeg - a.lonDeg;
  if (dLon > 180) dLon -= 360;
  else if (dLon < -180) dLon += 360;
  return {
    latDeg: a.latDeg + (b.latDeg - a.latDeg) * share,
    lonDeg: wrapLon(a.lonDeg + dLon * share),
  };
}

/** An angle brought into 0…360, 360 excluded. */
export function normaliseDeg(deg: number): number {
  const rest = deg % 360;
  return rest < 0 ? (rest + 360) % 360 : rest;
}

/** The angle a share (0…1) of the way from one to the other, the short way round. */
export function turnDeg(fromDeg: number, toDeg: number, share: number): number {
  const delta = ((toDeg - fromDeg + 540) % 360) - 180;
  return normaliseDeg(fromDeg + delta * share);
}

function wrapLon(lonDeg: number): number {
  return lonDeg > 180 ? lonDeg - 360 : lonDeg < -180 ? lonDeg + 360 : lonDeg;
}
