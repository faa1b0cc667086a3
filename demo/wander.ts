import { ROAD_CLASSES, type RoadClass } from "./city/road-classes.ts";
import type { Random } from "./random.ts";
import { ROAD_FLAGS, type RoadGraph } from "./road-graph.ts";

/** How a cruising driver likes a class of road, when choosing at a junction. */
const LIKING: Record<RoadClass, number> = {
  motorway: 0.2,
  trunk: 0.3,
  primary: 1,
  secondary: 3,
  tertiary: 3,
  unclassified: 1.5,
  residential: 1,
  living_street: 0.2,
  service: 0.03,
  path: 0,
};
/** Roads beside which people live and cars can wait. */
const STOPPING = new Set<RoadClass>([
  "secondary",
  "tertiary",
  "unclassified",
  "residential",
  "living_street",
]);
/** A walk that finds no place to stop ends all the same after this many roads. */
const MOST_ARCS = 400;

/** True when cars may stop at the node and people may be picked up there: no big road or tunnel, no yard. */
export function isAddress(graph: RoadGraph, node: number): boolean {
  const busiest = ROAD_CLASSES[graph.nodeBusiest[node]!];
  if (!busiest || !STOPPING.has(busiest)) return false;
  for (let arc = graph.arcStart[node]!; arc < graph.arcStart[node + 1]!; arc++) {
    if (graph.roadFlags[graph.arcRoad[arc]!]! & ROAD_FLAGS.tunnel) return false;
  }
  return true;
}

/** All nodes that are addresses. */
export function addressNodes(graph: RoadGraph): Uint32Array {
  return Uint32Array.from({ length: graph.nodeCount }, (_, node) => node).filter((node) =>
    isAddress(graph, node),
  );
}

/**
 * Where a driver without a trip drives: at each junction some road, rarely a small one, back only from a dead end,
 * for at least `wantedM` and on to a place where one can stop. Arcs for `pathAlong`; never none.
 */
export function wanderArcs(
  graph: RoadGraph,
  from: number,
  cameFrom: number,
  wantedM: number,
  random: Random,
): number[] {
  const arcs: number[] = [];
  let node = from;
  let before = cameFrom;
  let lengthM = 0;
  while (arcs.length < MOST_ARCS && (lengthM < wantedM || !isAddress(graph, node))) {
    const arc = chooseArc(graph, node, before, random);
    arcs.push(arc);
    lengthM += graph.roadLengthM[graph.arcRoad[arc]!]!;
    before = node;
    node = graph.arcTo[arc]!;
  }
  return arcs;
}

function chooseArc(graph: RoadGraph, node: number, before: number, random: Random): number {
  const first = graph.arcStart[node]!;
  const end = graph.arcStart[node + 1]!;
  const liking = (arc: number) =>
    graph.arcTo[arc] === before ? 0 : LIKING[ROAD_CLASSES[graph.roadClass[graph.arcRoad[arc]!]!]!];
  let total = 0;
  for (let arc = first; arc < end; arc++) total += liking(arc);
  let left = random.unit() * total;
  for (let arc = first; arc < end; arc++) {
    left -= liking(arc);
    if (left < 0) return arc;
  }
  return first;
}
