import { readFile } from "node:fs/promises";
import { distanceM, fromE7, METRES_PER_DEGREE } from "../internal/core/geo.ts";
import { readVarints } from "./city/varints.ts";

/** The content of graph.json, written by scripts/city/convert.ts. */
export type PackedRoadGraph = {
  schema: "bimride.roadgraph/1";
  attribution: string;
  nodeCount: number;
  roadCount: number;
  /** Packed numbers: latitude and longitude of each node in E7, less those of the node before. */
  nodes: string;
  /**
   * Packed numbers. Per road: its first node less the last node of the road before, its last node less its first,
   * class (its place in ROAD_CLASSES), km/h, flags, count of points between the two nodes, and these in E7, each less
   * the point before it.
   */
  roads: string;
};

/** Bits of a road's flags: which way it may be driven, and whether satellites can be seen from it. */
export const ROAD_FLAGS = { forward: 1, backward: 2, tunnel: 4 } as const;

/**
 * The streets of the demo city that cars may use: nodes, roads between two nodes, and arcs (a road driven one way).
 * Strongly connected: there is a way from every node to every other one. Immutable; some 2 MB.
 */
export type RoadGraph = {
  nodeCount: number;
  nodeLatDeg: Float64Array;
  nodeLonDeg: Float64Array;
  /** How many roads meet at a node. */
  nodeDegree: Uint8Array;
  /** The busiest class of road at a node, as a place in ROAD_CLASSES. */
  nodeBusiest: Uint8Array;
  roadCount: number;
  roadFrom: Uint32Array;
  roadTo: Uint32Array;
  /** Place in ROAD_CLASSES. */
  roadClass: Uint8Array;
  /** Speed to count with, metres per second. */
  roadSpeedMps: Float64Array;
  roadFlags: Uint8Array;
  roadLengthM: Float64Array;
  /** Where a road's points between its nodes start in `shape…`; they end where those of the next road start. */
  shapeStart: Uint32Array;
  shapeLatDeg: Float64Array;
  shapeLonDeg: Float64Array;
  /** Where a node's arcs start in `arc…`; they end where those of the next node start. */
  arcStart: Uint32Array;
  arcTo: Uint32Array;
  arcRoad: Uint32Array;
};

type Roads = Omit<RoadGraph, "arcStart" | "arcTo" | "arcRoad">;

/** Reads the demo city's graph, or another file of {@link PackedRoadGraph}. Takes some 60 ms. */
export async function readRoadGraph(
  file: string | URL = new URL("./city/graph.json", import.meta.url),
): Promise<RoadGraph> {
  return unpackRoadGraph(JSON.parse(await readFile(file, "utf8")));
}

/** The graph of packed data. Throws a RangeError when they are cut short or of another schema. */
export function unpackRoadGraph(packed: PackedRoadGraph): RoadGraph {
  if (packed.schema !== "bimride.roadgraph/1") throw new RangeError(`unknown schema ${packed.schema}`);
  const roads = unpackRoads(packed, unpackNodes(packed));
  return { ...roads, ...arcsOf(roads) };
}

type Nodes = { latE7: Int32Array; lonE7: Int32Array };

function unpackNodes(packed: PackedRoadGraph): Nodes {
  const nodes = { latE7: new Int32Array(packed.nodeCount), lonE7: new Int32Array(packed.nodeCount) };
  const reader = readVarints(packed.nodes);
  let latE7 = 0;
  let lonE7 = 0;
  for (let node = 0; node < packed.nodeCount; node++) {
    nodes.latE7[node] = latE7 += reader.next();
    nodes.lonE7[node] = lonE7 += reader.next();
  }
  return nodes;
}

function unpackRoads(packed: PackedRoadGraph, nodes: Nodes): Roads {
  const { nodeCount, roadCount } = packed;
  const roads: Roads = {
    nodeCount,
    nodeLatDeg: Float64Array.from(nodes.latE7, fromE7),
    nodeLonDeg: Float64Array.from(nodes.lonE7, fromE7),
    nodeDegree: new Uint8Array(nodeCount),
    nodeBusiest: new Uint8Array(nodeCount).fill(255),
    roadCount,
    roadFrom: new Uint32Array(roadCount),
    roadTo: new Uint32Array(roadCount),
    roadClass: new Uint8Array(roadCount),
    roadSpeedMps: new Float64Array(roadCount),
    roadFlags: new Uint8Array(roadCount),
    roadLengthM: new Float64Array(roadCount),
    shapeStart: new Uint32Array(roadCount + 1),
    shapeLatDeg: new Float64Array(),
    shapeLonDeg: new Float64Array(),
  };
  const shapeLat: number[] = [];
  const shapeLon: number[] = [];
  const reader = readVarints(packed.roads);
  let lastNode = 0;
  for (let road = 0; road < roadCount; road++) {
    const from = lastNode + reader.next();
    const to = from + reader.next();
    if (from >= nodeCount || to >= nodeCount) throw new RangeError("unknown node");
    lastNode = to;
    roads.roadFrom[road] = from;
    roads.roadTo[road] = to;
    roads.roadClass[road] = reader.next();
    roads.roadSpeedMps[road] = reader.next() / 3.6;
    roads.roadFlags[road] = reader.next();
    let latE7 = nodes.latE7[from]!;
    let lonE7 = nodes.lonE7[from]!;
    roads.shapeStart[road] = shapeLat.length;
    for (let left = reader.next(); left > 0; left--) {
      latE7 += reader.next();
      lonE7 += reader.next();
      shapeLat.push(fromE7(latE7));
      shapeLon.push(fromE7(lonE7));
    }
  }
  roads.shapeStart[roadCount] = shapeLat.length;
  roads.shapeLatDeg = Float64Array.from(shapeLat);
  roads.shapeLonDeg = Float64Array.from(shapeLon);
  measure(roads);
  return roads;
}

/** Fills in what follows from the roads: lengths, degrees, busiest classes. */
function measure(roads: Roads): void {
  for (let road = 0; road < roads.roadCount; road++) {
    let lengthM = 0;
    let lastLat = Number.NaN;
    let lastLon = Number.NaN;
    forEachPoint(roads, road, true, (lat, lon) => {
      if (!Number.isNaN(lastLat)) lengthM += distanceM(lastLat, lastLon, lat, lon);
      lastLat = lat;
      lastLon = lon;
    });
    roads.roadLengthM[road] = lengthM;
    for (const node of [roads.roadFrom[road]!, roads.roadTo[road]!]) {
      roads.nodeDegree[node]!++;
      roads.nodeBusiest[node] = Math.min(roads.nodeBusiest[node]!, roads.roadClass[road]!);
    }
  }
}

function arcsOf(roads: Roads): Pick<RoadGraph, "arcStart" | "arcTo" | "arcRoad"> {
  const arcStart = new Uint32Array(roads.nodeCount + 1);
  const forEachArc = (visit: (from: number, to: number, road: number) => void) => {
    for (let road = 0; road < roads.roadCount; road++) {
      const flags = roads.roadFlags[road]!;
      if (flags & ROAD_FLAGS.forward) visit(roads.roadFrom[road]!, roads.roadTo[road]!, road);
      if (flags & ROAD_FLAGS.backward) visit(roads.roadTo[road]!, roads.roadFrom[road]!, road);
    }
  };
  forEachArc((from) => arcStart[from + 1]!++);
  for (let node = 0; node < roads.nodeCount; node++) arcStart[node + 1]! += arcStart[node]!;
  const free = arcStart.slice();
  const arcTo = new Uint32Array(arcStart[roads.nodeCount]!);
  const arcRoad = new Uint32Array(arcTo.length);
  forEachArc((from, to, road) => {
    const arc = free[from]!++;
    arcTo[arc] = to;
    arcRoad[arc] = road;
  });
  return { arcStart, arcTo, arcRoad };
}

/** Calls `visit` with each point of a road, its nodes included, in the order of the road or against it. */
export function forEachPoint(
  roads: Roads,
  road: number,
  forward: boolean,
  visit: (latDeg: number, lonDeg: number) => void,
): void {
  const first = roads.shapeStart[road]!;
  const end = roads.shapeStart[road + 1]!;
  const [from, to] = forward
    ? [roads.roadFrom[road]!, roads.roadTo[road]!]
    : [roads.roadTo[road]!, roads.roadFrom[road]!];
  visit(roads.nodeLatDeg[from]!, roads.nodeLonDeg[from]!);
  for (let i = 0; i < end - first; i++) {
    const at = forward ? first + i : end - 1 - i;
    visit(roads.shapeLatDeg[at]!, roads.shapeLonDeg[at]!);
  }
  visit(roads.nodeLatDeg[to]!, roads.nodeLonDeg[to]!);
}

/** The node nearest to a point as the crow flies, out of those that `accept` lets through. Looks at all of them: 0.1 ms. */
export function nearestNode(
  graph: RoadGraph,
  latDeg: number,
  lonDeg: number,
  accept: (node: number) => boolean = () => true,
): number {
  const east = Math.cos((latDeg * Math.PI) / 180) * METRES_PER_DEGREE;
  let best = -1;
  let bestSquared = Number.POSITIVE_INFINITY;
  for (let node = 0; node < graph.nodeCount; node++) {
    const x = (graph.nodeLonDeg[node]! - lonDeg) * east;
    const y = (graph.nodeLatDeg[node]! - latDeg) * METRES_PER_DEGREE;
    const squared = x * x + y * y;
    if (squared >= bestSquared || !accept(node)) continue;
    best = node;
    bestSquared = squared;
  }
  if (best < 0) throw new RangeError("no node to choose from");
  return best;
}
