import { CITY_ATTRIBUTION, ROAD_CLASSES } from "../../demo/city/road-classes.ts";
import { packVarints } from "../../demo/city/varints.ts";
import { type PackedRoadGraph, ROAD_FLAGS } from "../../demo/road-graph.ts";
import { distanceM, fromE7, toE7 } from "../../internal/core/geo.ts";
import type { Way } from "./read-ways.ts";

/** Long roads get a node about this often, so that cars can start and stop between junctions. */
const NODE_SPACING_M = 120;

/** The points of all ways, numbered; ways that share a place share its number. */
type Points = { latE7: number[]; lonE7: number[] };
/** A way or a part of one, as numbers of points. */
type Line = { way: Way; at: number[] };

function numberPoints(ways: Way[]): { points: Points; lines: Line[] } {
  const points: Points = { latE7: [], lonE7: [] };
  const numbers = new Map<string, number>();
  const lines = ways.map((way) => ({
    way,
    at: way.points.map(([lon, lat]) => {
      const key = `${toE7(lon)},${toE7(lat)}`;
      let number = numbers.get(key);
      if (number === undefined) {
        number = points.latE7.push(toE7(lat)) - 1;
        points.lonE7.push(toE7(lon));
        numbers.set(key, number);
      }
      return number;
    }),
  }));
  return { points, lines };
}

/** All points that can be reached from `start`, driving forwards or, with `reversed`, backwards. */
function reach(lines: Line[], start: number, reversed: boolean): Set<number> {
  const next = new Map<number, number[]>();
  const link = (from: number, to: number) => {
    const list = next.get(from);
    if (list) list.push(to);
    else next.set(from, [to]);
  };
  for (const { way, at } of lines) {
    for (let i = 1; i < at.length; i++) {
      if (reversed ? way.backward : way.forward) link(at[i - 1]!, at[i]!);
      if (reversed ? way.forward : way.backward) link(at[i]!, at[i - 1]!);
    }
  }
  const seen = new Set([start]);
  const open = [start];
  for (let point = open.pop(); point !== undefined; point = open.pop()) {
    for (const to of next.get(point) ?? []) {
      if (seen.has(to)) continue;
      seen.add(to);
      open.push(to);
    }
  }
  return seen;
}

/**
 * The parts of the lines from which every other part can be reached: the strongly connected component of a primary
 * road, which is the largest one of a town. Throws when it turns out not to be.
 */
function connected(lines: Line[], pointCount: number): Line[] {
  const start = lines.find((line) => line.way.class === "primary")?.at[0];
  if (start === undefined) throw new Error("no primary road to start from");
  const back = reach(lines, start, true);
  const kept = new Set([...reach(lines, start, false)].filter((point) => back.has(point)));
  if (kept.size < pointCount / 2)
    throw new Error("the first primary road does not lie in the largest component");
  const parts: Line[] = [];
  for (const { way, at } of lines) {
    let run: number[] = [];
    for (const point of [...at, -1]) {
      if (kept.has(point)) run.push(point);
      else {
        if (run.length > 1) parts.push({ way, at: run });
        run = [];
      }
    }
  }
  return parts;
}

/** Cuts lines at junctions, ends and about every {@link NODE_SPACING_M}. */
function cut(lines: Line[], points: Points): Line[] {
  const uses = new Map<number, number>();
  for (const { at } of lines) for (const point of at) uses.set(point, (uses.get(point) ?? 0) + 1);
  const roads: Line[] = [];
  for (const { way, at } of lines) {
    let first = 0;
    let lengthM = 0;
    for (let i = 1; i < at.length; i++) {
      const [a, b] = [at[i - 1]!, at[i]!];
      lengthM += distanceM(
        fromE7(points.latE7[a]!),
        fromE7(points.lonE7[a]!),
        fromE7(points.latE7[b]!),
        fromE7(points.lonE7[b]!),
      );
      if (i < at.length - 1 && uses.get(b)! < 2 && lengthM < NODE_SPACING_M) continue;
      roads.push({ way, at: at.slice(first, i + 1) });
      first = i;
      lengthM = 0;
    }
  }
  return roads;
}

function flagsOf(way: Way): number {
  return (
    (way.forward ? ROAD_FLAGS.forward : 0) |
    (way.backward ? ROAD_FLAGS.backward : 0) |
    (way.tunnel ? ROAD_FLAGS.tunnel : 0)
  );
}

/** The roads that cars may use, as one strongly connected graph. Inverse: `unpackRoadGraph`. */
export function packGraph(ways: Way[]): PackedRoadGraph {
  const drivable = ways.filter((way) => way.forward || way.backward);
  const { points, lines } = numberPoints(drivable);
  const roads = cut(connected(lines, points.latE7.length), points);
  const nodeOf = new Map<number, number>();
  const nodes: number[] = [];
  let last = { lat: 0, lon: 0 };
  const push = (target: number[], point: number) => {
    const at = { lat: points.latE7[point]!, lon: points.lonE7[point]! };
    target.push(at.lat - last.lat, at.lon - last.lon);
    last = at;
  };
  for (const point of roads.flatMap(({ at }) => [at[0]!, at[at.length - 1]!])) {
    if (nodeOf.has(point)) continue;
    nodeOf.set(point, nodeOf.size);
    push(nodes, point);
  }
  const packed: number[] = [];
  let lastNode = 0;
  for (const { way, at } of roads) {
    const [from, to] = [nodeOf.get(at[0]!)!, nodeOf.get(at[at.length - 1]!)!];
    packed.push(from - lastNode, to - from, ROAD_CLASSES.indexOf(way.class), way.speedKmh, flagsOf(way));
    packed.push(at.length - 2);
    lastNode = to;
    last = { lat: points.latE7[at[0]!]!, lon: points.lonE7[at[0]!]! };
    for (const point of at.slice(1, -1)) push(packed, point);
  }
  return {
    schema: "bimride.roadgraph/1",
    attribution: CITY_ATTRIBUTION,
    nodeCount: nodeOf.size,
    roadCount: roads.length,
    nodes: packVarints(nodes),
    roads: packVarints(packed),
  };
}
