import { BimrideError } from "../core/errors.ts";
import { type Party, partyKey } from "../core/fix.ts";
import type { LatLon } from "../core/geo.ts";
import { regionOfTrip } from "../core/ids.ts";
import type { RegionOf } from "../core/region.ts";
import type { LiveNode, NodeKind, Nodes } from "./nodes.ts";
import { ranked } from "./rendezvous.ts";

/** Where a client should go. */
export type Placed = {
  /** The party's region, or the one that the trip's id names. */
  region: string;
  /** The node to use, then those to try when it fails; at least one. */
  nodes: readonly [LiveNode, ...LiveNode[]];
};

/**
 * Tells which node a client should use, out of what this process knows already. A hint only: every node serves everyone.
 * Who asks for the same is told the same wherever they ask, as far as the views of the nodes agree.
 */
export type Placement = {
  /**
   * The gateway for a party's fixes, by its id among those of the region that it is in.
   * @param place where it is; undefined when not known: the last region, else the default one
   * @throws NO_LIVE_NODE
   */
  ofParty(party: Party, place: LatLon | undefined, lastRegion: string): Placed;
  /**
   * The edge where the viewers of the trip meet, whether or not there is such a trip.
   * @throws NO_LIVE_NODE; a RangeError for what is no trip id
   */
  ofTrip(tripId: string): Placed;
};

export type PlacementDeps = {
  /** The registry of nodes of each region. */
  byRegion: ReadonlyMap<string, Pick<Nodes, "live">>;
  /** One of them, for places without a region of their own. */
  defaultRegion: string;
  regionOf: RegionOf;
};

/** How many nodes a client is told beside the one to use. */
const ALTERNATES = 2;

export function createPlacement({ byRegion, defaultRegion, regionOf }: PlacementDeps): Placement {
  const place = (kind: NodeKind, region: string, key: string): Placed => {
    const registry = byRegion.get(region) ?? byRegion.get(defaultRegion);
    const live = registry?.live(kind) ?? [];
    const atHome = ranked(
      live.filter((node) => node.region === region),
      key,
      1 + ALTERNATES,
    );
    const others = ranked(
      live.filter((node) => node.region !== region),
      key,
      1 + ALTERNATES - atHome.length,
    );
    const [first, ...further] = [...atHome, ...others];
    if (!first) throw new BimrideError("NO_LIVE_NODE");
    return { region, nodes: [first, ...further] };
  };
  return {
    ofParty(party, at, lastRegion) {
      const known = byRegion.has(lastRegion) ? lastRegion : defaultRegion;
      const region = at ? regionOf(at.latDeg, at.lonDeg, lastRegion) : known;
      return place("gateway", region, partyKey(party));
    },
    ofTrip: (tripId) => place("edge", regionOfTrip(tripId), tripId),
  };
}
