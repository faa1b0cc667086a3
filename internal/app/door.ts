import type { KeySource } from "../auth/jwks.ts";
import { jwtAuthenticator } from "../auth/jwt.ts";
import { systemClock } from "../core/time.ts";
import type { NodeKind, Nodes } from "../placement/nodes.ts";
import { revocableAuthenticator } from "../sessions/revocable-authenticator.ts";
import { RollCall } from "../sessions/roll-call.ts";
import { type Door, type Parts, secureRandom } from "./parts.ts";
import { openRevocations } from "./region-parts.ts";

type Needed = Pick<
  Parts,
  "settings" | "byRegion" | "nodes" | "engines" | "nodeId" | "clock" | "limits" | "telemetry"
>;

/** Opens what is asked of everybody who comes in; the stack closes it. @param keys whom to believe */
export async function openDoor(
  stack: AsyncDisposableStack,
  keys: KeySource,
  { settings, byRegion, nodes, engines, nodeId, clock, limits, telemetry }: Needed,
): Promise<Door> {
  const logger = telemetry.logger.child({ part: "sessions" });
  const revocations = await openRevocations(stack, byRegion, (error) =>
    logger.warn({ err: error }, "a revocation did not reach a region"),
  );
  const rollCall = stack.use(
    new RollCall({
      ...{ bus: engines.bus, nodeId, limits, ioClock: systemClock },
      liveNodes: () => liveNodes(nodes),
      newId: () => Buffer.from(secureRandom(12)).toString("base64url"),
      onUnheard: (error) => logger.warn({ err: error }, "bus not listened to"),
    }),
  );
  const { authIssuer: issuer, authAudience: audience } = settings;
  const authenticator = jwtAuthenticator({ keys, issuer, audience, clock });
  return { authenticator: revocableAuthenticator(authenticator, revocations), revocations, rollCall };
}

/** Gateways and edges of all regions; a process that is both is there twice. */
function* liveNodes(nodes: ReadonlyMap<string, Nodes>): Generator<string> {
  const kinds = ["gateway", "edge"] as const satisfies readonly NodeKind[];
  for (const registry of new Set(nodes.values()))
    for (const kind of kinds) for (const { nodeId } of registry.live(kind)) yield nodeId;
}
