import { distanceM } from "../../internal/core/geo.ts";
import type { CsvRecord } from "../drive/trace.ts";

export type Place = { tMs: number; latDeg: number; lonDeg: number; speedMps: number };

/** Slower than this, where the device says so, counts as standing. */
const STANDING_MPS = 0.3;
const JUMP_M = 60;
/** Faster than this no car drove: a longer step was made by the marker. */
const CAR_MAX_MPS = 60;

/** Rows of a drive's output or of a trace, in the order of time; the marker alone, without late places of the trail. */
export function placesOf(records: readonly CsvRecord[]): Place[] {
  return records
    .filter((record) => record.late !== "1")
    .map(({ t_ms, lat, lon, speed_mps }) => ({
      tMs: Math.round(Number(t_ms)),
      latDeg: Number(lat),
      lonDeg: Number(lon),
      speedMps: speed_mps ? Number(speed_mps) : Number.NaN,
    }))
    .sort((a, b) => a.tMs - b.tMs);
}

/** Metres per minute that the marker moves while the device says that the car stands, over all such stretches together. */
export function wanderMPerMin(
  raw: readonly Place[],
  marker: readonly Place[],
): { minutes: number; mPerMin: number } {
  const standing = new Set(raw.filter((place) => place.speedMps < STANDING_MPS).map((place) => place.tMs));
  let metres = 0;
  let ms = 0;
  for (let i = 1; i < marker.length; i++) {
    const [a, b] = [marker[i - 1]!, marker[i]!];
    if (!standing.has(a.tMs) || !standing.has(b.tMs)) continue;
    metres += distanceM(a.latDeg, a.lonDeg, b.latDeg, b.lonDeg);
    ms += b.tMs - a.tMs;
  }
  const minutes = ms / 60_000;
  return { minutes, mPerMin: minutes > 0 ? metres / minutes : 0 };
}

/**
 * Steps of the marker over 60 m that the car did not make: longer than the recording's own movement in that time by more
 * than 60 m, where the recording's movement is the way from fix to fix without the steps that no car drives.
 */
export function jumps(raw: readonly Place[], marker: readonly Place[]): number {
  const way = new Map<number, number>();
  let sum = 0;
  raw.forEach((place, i) => {
    const before = raw[i - 1];
    if (before) {
      const step = distanceM(before.latDeg, before.lonDeg, place.latDeg, place.lonDeg);
      const seconds = Math.max(0.5, (place.tMs - before.tMs) / 1000);
      sum += Math.min(step, CAR_MAX_MPS * seconds);
    }
    way.set(place.tMs, sum);
  });
  let count = 0;
  for (let i = 1; i < marker.length; i++) {
    const [a, b] = [marker[i - 1]!, marker[i]!];
    const step = distanceM(a.latDeg, a.lonDeg, b.latDeg, b.lonDeg);
    const driven = (way.get(b.tMs) ?? 0) - (way.get(a.tMs) ?? 0);
    if (step > JUMP_M && step - driven > JUMP_M) count++;
  }
  return count;
}
