import type { Position } from "geojson";
import { crossing, isPoint, type Segment, segmentsOf, touching, turn } from "./segment.ts";

/** What two rings, or a ring with itself, must not do: where it is first found, from the west, and how often. */
export type Crossing = { rings: readonly [number, number]; place: Position; times: number };

type Line = { ring: number; segment: Segment; index: number; of: number };

/**
 * Where lines of the rings go through each other, and where a ring comes back to itself: crosses, touches or runs along
 * what it drew before. One entry per ring or pair of rings. Lines of different rings that touch are none.
 */
export function crossingsOf(rings: readonly Position[][]): Crossing[] {
  // Sorted by west end, so that only neighbours are compared.
  const lines = rings.flatMap(linesOf).sort((a, b) => westOf(a) - westOf(b));
  const found = new Map<string, Crossing>();
  for (const [i, line] of lines.entries()) {
    const reach = Math.max(line.segment[0][0]!, line.segment[1][0]!);
    for (let k = i + 1; k < lines.length && westOf(lines[k]!) <= reach; k++) {
      const other = lines[k]!;
      const place = line.ring === other.ring ? meeting(line, other) : crossing(line.segment, other.segment);
      if (!place) continue;
      const pair = [Math.min(line.ring, other.ring), Math.max(line.ring, other.ring)] as const;
      const known = found.get(pair.join(" "));
      if (known) known.times++;
      else found.set(pair.join(" "), { rings: pair, place, times: 1 });
    }
  }
  return [...found.values()];
}

/** The lines of a ring, but none from a place to itself. */
function linesOf(positions: Position[], ring: number): Line[] {
  const segments = segmentsOf(positions).filter((segment) => !isPoint(segment));
  return segments.map((segment, index) => ({ ring, segment, index, of: segments.length }));
}

function westOf({ segment: [a, b] }: Line): number {
  return Math.min(a[0]!, b[0]!);
}

/** Where two lines of one ring meet; neighbours may, at the corner between them. */
function meeting(first: Line, second: Line): Position | undefined {
  if ((first.index + 1) % first.of === second.index) return goesBack(first.segment, second.segment);
  if ((second.index + 1) % second.of === first.index) return goesBack(second.segment, first.segment);
  const through = crossing(first.segment, second.segment);
  return through ?? touching(first.segment, second.segment)[0] ?? touching(second.segment, first.segment)[0];
}

/** The corner, when the second line goes back on the first. */
function goesBack([start, corner]: Segment, [, end]: Segment): Position | undefined {
  if (turn(start, corner, end) !== 0) return undefined;
  const onward =
    (corner[0]! - start[0]!) * (end[0]! - corner[0]!) + (corner[1]! - start[1]!) * (end[1]! - corner[1]!);
  return onward < 0 ? corner : undefined;
}
