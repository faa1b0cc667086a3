import { distanceM, type LatLon } from "../internal/core/geo.ts";
import type { Random } from "./random.ts";
import { nearestNode, type RoadGraph } from "./road-graph.ts";
import { addressNodes, isAddress } from "./wander.ts";

/** Gothenburg's centre (Brunnsparken), and how far from it most people want to go. */
const CENTRE: LatLon = { latDeg: 57.7068, lonDeg: 11.9683 };
const BUSY_M = 2500;
/** Tries before a place that does not fulfil the wish is taken. */
const MOST_TRIES = 2000;

/** The places where cars stop for people, as nodes of the graph. */
export type AddressBook = {
  /** A random place that `accept` lets through, more often near the centre; any place when 2,000 tries found none. */
  random(random: Random, accept?: (node: number) => boolean): number;
  /** The place nearest to a point. */
  nearest(place: LatLon): number;
  position(node: number): LatLon;
  /** Distance of two places as the crow flies. */
  distanceM(a: number, b: number): number;
};

export function createAddressBook(graph: RoadGraph): AddressBook {
  const nodes = addressNodes(graph);
  const position = (node: number) => ({
    latDeg: graph.nodeLatDeg[node]!,
    lonDeg: graph.nodeLonDeg[node]!,
  });
  const apartM = (a: LatLon, b: LatLon) => distanceM(a.latDeg, a.lonDeg, b.latDeg, b.lonDeg);
  return {
    random(random, accept = () => true) {
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        const node = random.pick(nodes);
        if (random.chance(Math.exp(-apartM(position(node), CENTRE) / BUSY_M)) && accept(node)) return node;
      }
      return random.pick(nodes);
    },
    nearest: (place) => nearestNode(graph, place.latDeg, place.lonDeg, (node) => isAddress(graph, node)),
    position,
    distanceM: (a, b) => apartM(position(a), position(b)),
  };
}
