import { booleanPointInPolygon } from "@turf/boolean-point-in-polygon";
import type { Position } from "geojson";
import { distanceToBorderM } from "./area.ts";
import type { Region, RegionArea } from "./regions.ts";
import { placeText } from "./rings.ts";
import { boxesMeet, crossing, type Segment, segmentsOf } from "./segment.ts";

/** Borders drawn twice differ a little; less than this is no overlap. */
const TOLERANCE_M = 1;
/** Enough to measure how deep a place lies, whatever the size of the region. */
const ANY_REACH_M = 25_000_000;

type Overlap = { place: Position; depthM: number };

/** A line for each two regions that overlap: how deep, and where that is. Borders may touch. */
export function overlapsOf(regions: readonly Region[]): string[] {
  return regions.flatMap((first, index) =>
    regions.slice(index + 1).flatMap((second) => {
      const found = deepest(first, second);
      if (!found) return [];
      const depth =
        found.depthM < 10_000 ? `${Math.round(found.depthM)} m` : `${Math.round(found.depthM / 1_000)} km`;
      return `${JSON.stringify(first.name)} and ${JSON.stringify(second.name)} overlap, about ${depth} deep at ${placeText(found.place)}`;
    }),
  );
}

function deepest(first: Region, second: Region): Overlap | undefined {
  let best: Overlap | undefined;
  for (const a of first.areas) {
    for (const b of second.areas) {
      for (const found of [borderInside(a, b), borderInside(b, a), sameShape(a, b)])
        if (found && found.depthM > TOLERANCE_M && found.depthM > (best?.depthM ?? 0)) best = found;
    }
  }
  return best;
}

/**
 * The place on a's border that lies deepest in b. Looked at are a's corners and the middle of each piece of its lines
 * between two crossings with b's border: a piece is inside as a whole or not at all.
 */
function borderInside(a: RegionArea, b: RegionArea): Overlap | undefined {
  let best: Overlap | undefined;
  const linesOfB = b.polygon.coordinates.flatMap(segmentsOf);
  for (const line of a.polygon.coordinates.flatMap(segmentsOf)) {
    if (!meetsRect(line, b)) continue;
    for (const place of candidates(line, linesOfB)) {
      const depthM = depthInM(b, place);
      if (depthM > (best?.depthM ?? 0)) best = { place, depthM };
    }
  }
  return best;
}

function candidates(line: Segment, others: readonly Segment[]): Position[] {
  const [start, end] = line;
  const cuts = others.flatMap((other) => {
    const through = crossing(line, other);
    return through ? [through] : touching(line, other);
  });
  const along = (place: Position) => Math.hypot(place[0]! - start[0]!, place[1]! - start[1]!);
  const stops = [start, ...cuts, end].sort((p, q) => along(p) - along(q));
  return [start, ...stops.slice(1).map((stop, i) => middle(stops[i]!, stop))];
}

/** Corners of the other line that lie on this one, where a piece may begin or end without a crossing. */
function touching(line: Segment, other: Segment): Position[] {
  if (!boxesMeet(line, other)) return [];
  const [[ax, ay], [bx, by]] = line as [[number, number], [number, number]];
  return other.filter(([x, y]) => {
    const onLine = Math.abs((bx - ax) * (y! - ay) - (by - ay) * (x! - ax)) < 1e-12;
    return (
      onLine &&
      boxesMeet(line, [
        [x!, y!],
        [x!, y!],
      ])
    );
  });
}

/** Two polygons with the same border: a place within. */
function sameShape(a: RegionArea, b: RegionArea): Overlap | undefined {
  const [outer = []] = a.polygon.coordinates;
  for (let i = 2; i < outer.length; i++) {
    const place = middle(middle(outer[i - 2]!, outer[i - 1]!), outer[i]!);
    const depthM = depthInM(a, place);
    if (depthM > TOLERANCE_M) return { place, depthM: Math.min(depthM, depthInM(b, place)) };
  }
  return undefined;
}

/** Metres to the border of the area from a place inside; 0 outside. */
function depthInM(area: RegionArea, place: Position): number {
  if (!booleanPointInPolygon(place, area.polygon, { ignoreBoundary: true })) return 0;
  return distanceToBorderM(area, place[1]!, place[0]!, ANY_REACH_M);
}

function meetsRect(line: Segment, { bounds }: RegionArea): boolean {
  const corner: Segment = [
    [bounds.westDeg, bounds.southDeg],
    [bounds.eastDeg, bounds.northDeg],
  ];
  return boxesMeet(line, corner);
}

function middle(a: Position, b: Position): Position {
  return [(a[0]! + b[0]!) / 2, (a[1]! + b[1]!) / 2];
}
