import { expect, test } from "vitest";
import { unpackRoadGraph } from "../../demo/road-graph.ts";
import { packGraph } from "./pack-graph.ts";
import type { Position, Way } from "./read-ways.ts";

const at = (east: number, north: number): Position => [11.97 + east / 1000, 57.7 + north / 1000];
const way = (points: Position[], more: Partial<Way> = {}): Way => ({
  class: "primary",
  name: "",
  points,
  forward: true,
  backward: true,
  speedKmh: 36,
  tunnel: false,
  ...more,
});

test("ways are cut where they meet, and what cannot be left or entered is dropped", () => {
  const graph = unpackRoadGraph(
    packGraph([
      way([at(0, 0), at(0.5, 0), at(1, 0)]),
      way([at(0.5, 0), at(0.5, 0.5)], { class: "service" }),
      way([at(1, 0), at(1, 1)], { backward: false }),
      way([at(9, 9), at(9, 8)]),
    ]),
  );
  expect(graph.nodeCount).toBe(4);
  expect(graph.roadCount).toBe(3);
  expect(graph.arcTo.length).toBe(6);
  expect([...graph.roadSpeedMps]).toEqual([10, 10, 10]);
  expect([...graph.nodeDegree].sort()).toEqual([1, 1, 1, 3]);
});

test("long roads get nodes on the way, and bends between nodes are kept", () => {
  const bends = Array.from({ length: 11 }, (_, i) => at(i, i % 2));
  const graph = unpackRoadGraph(packGraph([way(bends)]));
  expect(graph.nodeCount + graph.shapeLatDeg.length).toBe(11);
  const longestM = graph.roadLengthM.reduce((a, b) => Math.max(a, b));
  expect(longestM).toBeLessThan(250);
});
