import { hostname } from "node:os";
import type { LiveNode, NodeKind } from "../placement/nodes.ts";
import { createPlacement, type Placement } from "../placement/placement.ts";
import type { Parts } from "./parts.ts";
import type { Role } from "./roles.ts";

type Needed = Pick<Parts, "nodes" | "nodeId" | "settings" | "engines">;

/**
 * Lets clients be sent here, in every region that this process serves, until the result is disposed: to be done first of
 * all when the process goes away. A processor alone is no place for clients.
 * @param httpUrl where the process listens, and so is reached unless a public address is set
 */
export async function announceNode(
  { nodes, nodeId, settings, engines }: Needed,
  roles: ReadonlySet<Role>,
  httpUrl: string,
  grpcAddress: string,
): Promise<AsyncDisposable> {
  const kinds = (["gateway", "edge"] as const satisfies readonly NodeKind[]).filter((kind) =>
    roles.has(kind),
  );
  const address = {
    httpUrl: settings.httpPublicUrl || reachable(httpUrl),
    grpcAddress: settings.grpcPublicAddress || reachable(grpcAddress),
  };
  const shown: AsyncDisposable[] = [];
  for (const kind of kinds) {
    const node: LiveNode = {
      ...{ nodeId, kind, region: engines.log.region, httpUrl: address.httpUrl },
      grpcAddress: kind === "gateway" ? address.grpcAddress : "",
    };
    // Regions that share a registry share the entry.
    for (const registry of new Set(nodes.values())) shown.push(await registry.announce(node));
  }
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(shown.map((each) => each[Symbol.asyncDispose]()));
    },
  };
}

/** Tells clients where to go, by the registries of the regions that this process serves. */
export function placementOf({
  nodes,
  regions,
  regionOf,
}: Pick<Parts, "nodes" | "regions" | "regionOf">): Placement {
  return createPlacement({ byRegion: nodes, defaultRegion: regions.defaultName, regionOf });
}

/** Who listens on every address is reached under the machine's name. */
function reachable(address: string): string {
  return address.replace(/(?<=^|\/)(0\.0\.0\.0|\[::\])(?=:)/, hostname());
}
