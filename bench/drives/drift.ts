import { distanceM } from "../../internal/core/geo.ts";
import type { DriftEpisode } from "../dirt.ts";
import type { CsvRecord } from "../drive/trace.ts";
import type { Place } from "./marker.ts";

/** Fixes after a drift's end by which the marker must be back. */
const FIXES = 3;

/**
 * How far the marker is off at the third fix after a drift snapped back, over what the clean fix itself is off, metres:
 * the worst over all drifts.
 */
export function driftReturn(
  truth: readonly CsvRecord[],
  clean: readonly CsvRecord[],
  marker: readonly Place[],
  drifts: readonly DriftEpisode[],
): number {
  const reference = truth.map((record) => ({
    tMs: Number(record.t_ms),
    lat: Number(record.lat),
    lon: Number(record.lon),
  }));
  const raw = new Map(clean.map((record) => [Number(record.t_ms), record]));
  let worst = 0;
  for (const { toMs } of drifts) {
    const place = marker.filter(({ tMs }) => tMs > toMs)[FIXES - 1];
    const fix = place && raw.get(place.tMs);
    const near = place && nearest(reference, place.tMs);
    if (!place || !fix || !near) continue;
    const shown = distanceM(near.lat, near.lon, place.latDeg, place.lonDeg);
    const recorded = distanceM(near.lat, near.lon, Number(fix.lat), Number(fix.lon));
    worst = Math.max(worst, shown - recorded);
  }
  return worst;
}

/** The reference at the time; it comes at 10 Hz, so the nearest row is good to a metre or two at 30 m/s. */
function nearest<T extends { tMs: number }>(rows: readonly T[], tMs: number): T | undefined {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle]!.tMs < tMs) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [rows[low - 1], rows[low]];
  if (!before || !after) return before ?? after;
  return tMs - before.tMs < after.tMs - tMs ? before : after;
}
