import type { Limits } from "../core/limits.ts";
import type { RegionOf } from "../core/region.ts";
import { areaContains, distanceToBorderM } from "./area.ts";
import type { Region, Regions } from "./regions.ts";

/**
 * How places find their region. A party stays in its last region until it is more than `regionHysteresisM` outside of it
 * and inside another one; outside all regions it keeps its last. Without a last region: the one that holds the place, else
 * the nearest within `regionReachM`, else the default. Pure and total: every place has exactly one region.
 */
export function regionFinder(
  regions: Regions,
  { regionHysteresisM, regionReachM }: Pick<Limits, "regionHysteresisM" | "regionReachM">,
): RegionOf {
  const { all, defaultName } = regions;
  if (all.length === 1) return () => defaultName;
  const byName = new Map(all.map((region) => [region.name, region]));
  return (latDeg, lonDeg, lastRegion) => {
    const last = byName.get(lastRegion);
    if (last && isWithin(last, latDeg, lonDeg, regionHysteresisM)) return last.name;
    const there = all.find((region) => contains(region, latDeg, lonDeg));
    if (there) return there.name;
    return last?.name ?? nearest(all, latDeg, lonDeg, regionReachM)?.name ?? defaultName;
  };
}

function contains(region: Region, latDeg: number, lonDeg: number): boolean {
  return region.areas.some((area) => areaContains(area, latDeg, lonDeg));
}

/** True when the place is in the region or at most `marginM` outside. */
function isWithin(region: Region, latDeg: number, lonDeg: number, marginM: number): boolean {
  return contains(region, latDeg, lonDeg) || outsideM(region, latDeg, lonDeg, marginM) <= marginM;
}

/** The region whose border is nearest, of those within the reach. */
function nearest(all: readonly Region[], latDeg: number, lonDeg: number, reachM: number): Region | undefined {
  let best: Region | undefined;
  let bestM = reachM;
  for (const region of all) {
    const metres = outsideM(region, latDeg, lonDeg, bestM);
    if (metres > bestM || (best && metres === bestM)) continue;
    best = region;
    bestM = metres;
  }
  return best;
}

function outsideM(region: Region, latDeg: number, lonDeg: number, reachM: number): number {
  return Math.min(...region.areas.map((area) => distanceToBorderM(area, latDeg, lonDeg, reachM)));
}
