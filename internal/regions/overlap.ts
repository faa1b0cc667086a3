import { booleanPointInPolygon } from "@turf/boolean-point-in-polygon";
import type { Position } from "geojson";
import { distanceToBorderM } from "./area.ts";
import type { Region, RegionArea } from "./regions.ts";
import { placeText } from "./rings.ts";
import { boxesMeet, diagonalOf, placesOn, segmentsOf } from "./segment.ts";

/** Borders drawn twice differ a little; less than this is no overlap. */
const TOLERANCE_M = 1;
/** Enough to measure how deep a place lies, whatever the size of the region. */
const ANY_REACH_M = 25_000_000;

type Overlap = { place: Position; depthM: number };

/** A line for each two regions that overlap: how deep, and where that is. Borders may touch. */
export function overlapsOf(regions: readonly Region[]): string[] {
  return regions.flatMap((first, index) =>
    regions.slice(index + 1).flatMap((second) => {
      const found = deepest(first.areas, second.areas);
      if (!found) return [];
      return `${JSON.stringify(first.name)} and ${JSON.stringify(second.name)} overlap, ${words(found)}`;
    }),
  );
}

/** A line for each polygon of a region that equals, holds or crosses a good one before it. They may touch. */
export function partOverlapsOf(areas: readonly RegionArea[]): string[] {
  const good = new Map<number, RegionArea>();
  const problems: string[] = [];
  for (const [k, area] of areas.entries()) {
    const problem = overlapWith(good, area, k);
    if (problem) problems.push(problem);
    else good.set(k, area);
  }
  return problems;
}

function overlapWith(
  others: ReadonlyMap<number, RegionArea>,
  area: RegionArea,
  index: number,
): string | undefined {
  for (const [i, other] of others) {
    const found = deepest([other], [area]);
    if (found) return `polygons ${i} and ${index} overlap, ${words(found)}`;
  }
  return undefined;
}

function words({ place, depthM }: Overlap): string {
  const depth = depthM < 10_000 ? `${Math.round(depthM)} m` : `${Math.round(depthM / 1_000)} km`;
  return `about ${depth} deep at ${placeText(place)}`;
}

function deepest(first: readonly RegionArea[], second: readonly RegionArea[]): Overlap | undefined {
  let best: Overlap | undefined;
  for (const a of first) {
    for (const b of second) {
      if (!boxesMeet(diagonalOf(a.bounds), diagonalOf(b.bounds))) continue;
      for (const found of [borderInside(a, b), borderInside(b, a), sameShape(a, b)])
        if (found && found.depthM > TOLERANCE_M && found.depthM > (best?.depthM ?? 0)) best = found;
    }
  }
  return best;
}

/** The place on a's border that lies deepest in b, of those that {@link placesOn} gives. */
function borderInside(a: RegionArea, b: RegionArea): Overlap | undefined {
  let best: Overlap | undefined;
  const linesOfB = b.polygon.coordinates.flatMap(segmentsOf);
  const around = diagonalOf(b.bounds);
  for (const line of a.polygon.coordinates.flatMap(segmentsOf)) {
    if (!boxesMeet(line, around)) continue;
    for (const place of placesOn(line, linesOfB)) {
      const depthM = depthInM(b, place);
      if (depthM > (best?.depthM ?? 0)) best = { place, depthM };
    }
  }
  return best;
}

/** Where no border lies in the other polygon, the two are the same or apart: a place in one of them tells. */
function sameShape(a: RegionArea, b: RegionArea): Overlap | undefined {
  const place = placeWithin(a);
  return place && { place, depthM: Math.min(depthInM(a, place), depthInM(b, place)) };
}

/** The middle of the widest stretch inside, half way up and between the latitudes of two corners. */
function placeWithin({ polygon, bounds }: RegionArea): Position | undefined {
  const lines = polygon.coordinates.flatMap(segmentsOf);
  const half = (bounds.southDeg + bounds.northDeg) / 2;
  let { southDeg: below, northDeg: above } = bounds;
  for (const [[, latDeg]] of lines as [[number, number], Position][]) {
    if (latDeg > half) above = Math.min(above, latDeg);
    else below = Math.max(below, latDeg);
  }
  const latDeg = (below + above) / 2;
  const cuts = lines
    .filter(([a, b]) => a[1]! > latDeg !== b[1]! > latDeg)
    .map(([a, b]) => a[0]! + ((latDeg - a[1]!) / (b[1]! - a[1]!)) * (b[0]! - a[0]!))
    .sort((p, q) => p - q);
  let widest: [number, number] | undefined;
  for (let i = 1; i < cuts.length; i += 2) {
    const [west, east] = [cuts[i - 1]!, cuts[i]!];
    if (!widest || east - west > widest[1] - widest[0]) widest = [west, east];
  }
  return widest && [(widest[0] + widest[1]) / 2, latDeg];
}

/** Metres to the border of the area from a place inside; 0 outside. */
function depthInM(area: RegionArea, place: Position): number {
  if (!booleanPointInPolygon(place, area.polygon, { ignoreBoundary: true })) return 0;
  return distanceToBorderM(area, place[1]!, place[0]!, ANY_REACH_M);
}
