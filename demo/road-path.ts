import { distanceM } from "../internal/core/geo.ts";
import { ROAD_CLASSES } from "./city/road-classes.ts";
import { forEachPoint, ROAD_FLAGS, type RoadGraph } from "./road-graph.ts";

/** Why a car may have to stop at a point of its path. */
export const STOPS = { none: 0, giveWay: 1, lights: 2 } as const;

/** A way along roads, as points and the segments between them. Immutable. */
export type RoadPath = {
  latDeg: Float64Array;
  lonDeg: Float64Array;
  /** Metres from the start to each point; rises strictly. */
  distanceM: Float64Array;
  /** One of STOPS for each point. */
  stops: Uint8Array;
  /** Speed to count with on the segment that ends at the point, metres per second; the first is that of the second. */
  speedMps: Float64Array;
  /** 1 when the segment that ends at the point lies in a tunnel. */
  tunnel: Uint8Array;
  /** The nodes passed, and which point each one is. */
  nodes: Uint32Array;
  nodePoint: Uint32Array;
  /** Sum of length by speed, seconds: without turns and stops. */
  durationS: number;
};

/** Collects points into a {@link RoadPath}; a point that repeats the one before is merged with it. */
export type PathBuilder = {
  add(latDeg: number, lonDeg: number, speedMps: number, tunnel: boolean): void;
  /** Says that the last point added is a node. */
  markNode(node: number, stop: number): void;
  build(): RoadPath;
};

const PLACE = (name: (typeof ROAD_CLASSES)[number]) => ROAD_CLASSES.indexOf(name);
const TRUNK = PLACE("trunk");
const TERTIARY = PLACE("tertiary");

/** Steps shorter than this are merged into one point. */
const SAME_POINT_M = 0.01;

export function createPathBuilder(): PathBuilder {
  const lat: number[] = [];
  const lon: number[] = [];
  const distance: number[] = [];
  const speed: number[] = [];
  const tunnels: number[] = [];
  const stops: number[] = [];
  const nodes: number[] = [];
  const nodePoint: number[] = [];
  let durationS = 0;
  return {
    add(latDeg, lonDeg, speedMps, tunnel) {
      const last = lat.length - 1;
      const stepM = last < 0 ? 0 : distanceM(lat[last]!, lon[last]!, latDeg, lonDeg);
      if (last >= 0 && stepM < SAME_POINT_M) return;
      lat.push(latDeg);
      lon.push(lonDeg);
      distance.push(last < 0 ? 0 : distance[last]! + stepM);
      speed.push(speedMps);
      tunnels.push(tunnel ? 1 : 0);
      stops.push(STOPS.none);
      durationS += stepM / speedMps;
    },
    markNode(node, stop) {
      stops[lat.length - 1] = stop;
      if (nodes[nodes.length - 1] === node) return;
      nodes.push(node);
      nodePoint.push(lat.length - 1);
    },
    build() {
      if (speed.length > 1) speed[0] = speed[1]!;
      return {
        latDeg: Float64Array.from(lat),
        lonDeg: Float64Array.from(lon),
        distanceM: Float64Array.from(distance),
        stops: Uint8Array.from(stops),
        speedMps: Float64Array.from(speed),
        tunnel: Uint8Array.from(tunnels),
        nodes: Uint32Array.from(nodes),
        nodePoint: Uint32Array.from(nodePoint),
        durationS,
      };
    },
  };
}

/** What stops a car that comes to `node` by `road`: lights where four or more town roads meet, a busier road to cross. */
function stopAt(graph: RoadGraph, node: number, road: number): number {
  const degree = graph.nodeDegree[node]!;
  const busiest = graph.nodeBusiest[node]!;
  if (degree < 3 || busiest <= TRUNK) return STOPS.none;
  if (degree >= 4 && busiest <= TERTIARY) return STOPS.lights;
  return graph.roadClass[road]! > busiest && busiest <= TERTIARY ? STOPS.giveWay : STOPS.none;
}

/**
 * Appends the roads of `arcs`, the first of which starts at `from`, to a path.
 * @param arcs indices into `graph.arcTo`, each starting where the one before ends
 */
export function appendArcs(builder: PathBuilder, graph: RoadGraph, from: number, arcs: number[]): void {
  builder.add(graph.nodeLatDeg[from]!, graph.nodeLonDeg[from]!, 1, false);
  builder.markNode(from, STOPS.none);
  let node = from;
  arcs.forEach((arc, index) => {
    const road = graph.arcRoad[arc]!;
    const forward = graph.roadFrom[road] === node && (graph.roadFlags[road]! & ROAD_FLAGS.forward) !== 0;
    const tunnel = (graph.roadFlags[road]! & ROAD_FLAGS.tunnel) !== 0;
    forEachPoint(graph, road, forward, (latDeg, lonDeg) =>
      builder.add(latDeg, lonDeg, graph.roadSpeedMps[road]!, tunnel),
    );
    node = graph.arcTo[arc]!;
    builder.markNode(node, index === arcs.length - 1 ? STOPS.none : stopAt(graph, node, road));
  });
}

/** The path along `arcs` from the node `from`; a single point when there are none. */
export function pathAlong(graph: RoadGraph, from: number, arcs: number[]): RoadPath {
  const builder = createPathBuilder();
  appendArcs(builder, graph, from, arcs);
  return builder.build();
}

/** Length in metres. */
export function pathLengthM(path: RoadPath): number {
  return path.distanceM[path.distanceM.length - 1]!;
}
