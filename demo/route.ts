import { distanceM } from "../internal/core/geo.ts";
import { createMinHeap } from "./min-heap.ts";
import type { RoadGraph } from "./road-graph.ts";
import { pathAlong, type RoadPath } from "./road-path.ts";

/** What turning round on the spot at the start costs in comparison with driving on. */
const U_TURN_S = 60;

/** The quickest path between two nodes (one-ways kept). `cameFrom`: the node before `from`, so as not to turn round. */
export function route(graph: RoadGraph, from: number, to: number, cameFrom = -1): RoadPath {
  return pathAlong(graph, from, routeArcs(graph, from, to, cameFrom));
}

/**
 * As {@link route}, as arcs. A* with the straight line at the graph's highest speed as the estimate; a few
 * milliseconds. The graph is strongly connected, so there is always a path; a RangeError says that it is not.
 */
export function routeArcs(graph: RoadGraph, from: number, to: number, cameFrom = -1): number[] {
  const costS = new Float64Array(graph.nodeCount).fill(Number.POSITIVE_INFINITY);
  const via = new Int32Array(graph.nodeCount).fill(-1);
  const before = new Uint32Array(graph.nodeCount);
  const closed = new Uint8Array(graph.nodeCount);
  // A node waits once per arc that improved it, so arcs bound the heap.
  const open = createMinHeap(graph.arcTo.length + 1);
  const estimateS = estimator(graph, to);
  costS[from] = 0;
  open.push(0, from);
  for (let node = open.pop(); node !== to; node = open.pop()) {
    if (node < 0) throw new RangeError(`no path from node ${from} to node ${to}`);
    if (closed[node] === 1) continue;
    closed[node] = 1;
    for (let arc = graph.arcStart[node]!; arc < graph.arcStart[node + 1]!; arc++) {
      const next = graph.arcTo[arc]!;
      const road = graph.arcRoad[arc]!;
      let reachedS = costS[node]! + graph.roadLengthM[road]! / graph.roadSpeedMps[road]!;
      if (node === from && next === cameFrom) reachedS += U_TURN_S;
      if (reachedS >= costS[next]!) continue;
      costS[next] = reachedS;
      via[next] = arc;
      before[next] = node;
      open.push(reachedS + estimateS(next), next);
    }
  }
  const arcs: number[] = [];
  for (let node = to; node !== from; node = before[node]!) arcs.push(via[node]!);
  return arcs.reverse();
}

function estimator(graph: RoadGraph, to: number): (node: number) => number {
  const toLat = graph.nodeLatDeg[to]!;
  const toLon = graph.nodeLonDeg[to]!;
  const fastestMps = graph.roadSpeedMps.reduce((a, b) => Math.max(a, b), 1);
  // A hair less than the straight line, so that rounding never makes the estimate too long.
  const perMetre = 0.999 / fastestMps;
  return (node) => perMetre * distanceM(graph.nodeLatDeg[node]!, graph.nodeLonDeg[node]!, toLat, toLon);
}
