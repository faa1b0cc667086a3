import { distanceM } from "../core/geo.ts";
import type { DrivePoint } from "./settlement-phases.ts";

/** Metres per second from which a car drives, if it is also so many sigmas of its speed: below, its steps may be noise. */
const DRIVES_MPS = 1;
const DRIVES_SIGMAS = 3;
/** Metres, and 68 % radii, that a slow car must have come from where it last was counted before that counts. */
const CREEPS_M = 15;
const CREEPS_RADII = 3;

/**
 * Metres driven between two times along a final track. Steps of a driving car count as they are; of a slow one only the
 * way that it has really come, so standing adds nothing and a jam what it moved. Gaps count as straight lines. A step
 * belongs to the time of its middle.
 */
export function drivenM(points: readonly DrivePoint[], fromMs: number, toMs: number): number {
  let sumM = 0;
  let counted: DrivePoint | undefined;
  let last: DrivePoint | undefined;
  for (const point of points) {
    const middleMs = last ? (last.atMs + point.atMs) / 2 : point.atMs;
    const before = last;
    last = point;
    if (middleMs < fromMs || middleMs > toMs || before === undefined) continue;
    counted ??= before;
    const stepM = distanceM(counted.latDeg, counted.lonDeg, point.latDeg, point.lonDeg);
    const leastM = Math.max(CREEPS_M, CREEPS_RADII * point.accuracyM);
    if (stepM < leastM && !(drives(point) && drives(before))) continue;
    sumM += stepM;
    counted = point;
  }
  return sumM;
}

function drives({ speedMps, speedSigmaMps }: DrivePoint): boolean {
  return speedMps >= Math.max(DRIVES_MPS, DRIVES_SIGMAS * speedSigmaMps);
}
