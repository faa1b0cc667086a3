import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { distanceM } from "../internal/core/geo.ts";
import { createRandom } from "./random.ts";
import { nearestNode, ROAD_FLAGS, type RoadGraph, readRoadGraph, unpackRoadGraph } from "./road-graph.ts";
import { pathLengthM } from "./road-path.ts";
import { route } from "./route.ts";

const graph = await readRoadGraph();
const random = createRandom(1, "test");
const anyNode = () => Math.floor(random.unit() * graph.nodeCount);
const pairs = Array.from({ length: 100 }, () => ({ from: anyNode(), to: anyNode() }));

/** Nodes that can be reached by roads, read from the roads' own flags and not from the arcs. */
function reached(start: number, reversed: boolean): number {
  const next: number[][] = Array.from({ length: graph.nodeCount }, () => []);
  for (let road = 0; road < graph.roadCount; road++) {
    const [from, to] = [graph.roadFrom[road]!, graph.roadTo[road]!];
    const flags = graph.roadFlags[road]!;
    if (flags & (reversed ? ROAD_FLAGS.backward : ROAD_FLAGS.forward)) next[from]!.push(to);
    if (flags & (reversed ? ROAD_FLAGS.forward : ROAD_FLAGS.backward)) next[to]!.push(from);
  }
  const seen = new Set([start]);
  for (const node of seen) for (const to of next[node]!) seen.add(to);
  return seen.size;
}

/** The quickest times from a node to all others by relaxing until nothing changes: slow and simple. */
function quickestS(from: number): Float64Array {
  const times = new Float64Array(graph.nodeCount).fill(Number.POSITIVE_INFINITY);
  times[from] = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (let node = 0; node < graph.nodeCount; node++) {
      for (let arc = graph.arcStart[node]!; arc < graph.arcStart[node + 1]!; arc++) {
        const road = graph.arcRoad[arc]!;
        const time = times[node]! + graph.roadLengthM[road]! / graph.roadSpeedMps[road]!;
        if (time >= times[graph.arcTo[arc]!]!) continue;
        times[graph.arcTo[arc]!] = time;
        changed = true;
      }
    }
  }
  return times;
}

/** True when some road may be driven from one node to the other. */
function mayDrive(of: RoadGraph, from: number, to: number): boolean {
  for (let road = 0; road < of.roadCount; road++) {
    const flags = of.roadFlags[road]!;
    if (of.roadFrom[road] === from && of.roadTo[road] === to && flags & ROAD_FLAGS.forward) return true;
    if (of.roadFrom[road] === to && of.roadTo[road] === from && flags & ROAD_FLAGS.backward) return true;
  }
  return false;
}

test("every place can be reached from every other one", () => {
  expect(graph.nodeCount).toBeGreaterThan(10_000);
  expect(reached(0, false)).toBe(graph.nodeCount);
  expect(reached(0, true)).toBe(graph.nodeCount);
});

test("routes go from one node to the other along roads that may be driven that way", () => {
  const oneways = graph.roadFlags.filter((flags) => !(flags & ROAD_FLAGS.backward)).length;
  expect(oneways).toBeGreaterThan(2000);
  for (const { from, to } of pairs.slice(0, 30)) {
    const { nodes } = route(graph, from, to);
    expect([nodes[0], nodes[nodes.length - 1]]).toEqual([from, to]);
    for (let i = 1; i < nodes.length; i++) expect(mayDrive(graph, nodes[i - 1]!, nodes[i]!)).toBe(true);
  }
});

test("routes are the quickest ones", () => {
  const from = pairs[0]!.from;
  const times = quickestS(from);
  for (const { to } of pairs) expect(route(graph, from, to).durationS).toBeCloseTo(times[to]!, 0);
});

test("a path is one line without gaps, its points rise in distance, its speeds are those of roads", () => {
  for (const { from, to } of pairs) {
    const path = route(graph, from, to);
    for (let i = 1; i < path.latDeg.length; i++) {
      const stepM = distanceM(path.latDeg[i - 1]!, path.lonDeg[i - 1]!, path.latDeg[i]!, path.lonDeg[i]!);
      expect(stepM).toBeGreaterThan(0);
      expect(path.distanceM[i]! - path.distanceM[i - 1]!).toBeCloseTo(stepM, 6);
      expect(path.speedMps[i]).toBeGreaterThan(1);
      expect(path.speedMps[i]).toBeLessThan(34);
    }
  }
});

test("a car that came from a road drives round the block rather than back, where the block is small", () => {
  let around = 0;
  for (let node = 0; node < 500; node++) {
    const back = graph.arcTo[graph.arcStart[node]!]!;
    const free = route(graph, node, back);
    const bound = route(graph, node, back, back);
    if (free.nodes[1] !== back || bound.nodes[1] === back) continue;
    around++;
    expect(bound.durationS - free.durationS).toBeLessThan(60);
  }
  expect(around).toBeGreaterThan(10);
});

test("a route to where one is has no length", () => {
  expect(pathLengthM(route(graph, 5, 5))).toBe(0);
});

test("the nearest node is the nearest one that is accepted", () => {
  const lat = graph.nodeLatDeg[77]!;
  const lon = graph.nodeLonDeg[77]!;
  expect(nearestNode(graph, lat + 1e-7, lon)).toBe(77);
  expect(nearestNode(graph, lat, lon, (node) => node !== 77)).not.toBe(77);
  expect(() => nearestNode(graph, lat, lon, () => false)).toThrow(RangeError);
});

test("graph data that are cut short or of another schema are refused", () => {
  const packed = JSON.parse(readFileSync(new URL("./city/graph.json", import.meta.url), "utf8"));
  expect(() => unpackRoadGraph({ ...packed, schema: "other" })).toThrow(RangeError);
  expect(() => unpackRoadGraph({ ...packed, roads: packed.roads.slice(0, 4000) })).toThrow(RangeError);
});
