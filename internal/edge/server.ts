import { existsSync } from "node:fs";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import { compressionGzip } from "@connectrpc/connect-node";
import staticFiles from "@fastify/static";
import { callGate } from "./connect/caller.ts";
import { connectRoutes } from "./connect/routes.ts";
import type { EdgeContext } from "./context.ts";
import { demoRoutes } from "./demo-tokens.ts";
import { guestRoutes } from "./guest-routes.ts";
import { type BuiltServer, buildNodeServer } from "./node-server.ts";
import { liveRoutes } from "./rest/live.ts";
import { placementRoutes } from "./rest/placement.ts";
import { sessionRoutes } from "./rest/sessions.ts";
import { trackRoutes } from "./rest/track.ts";
import { tripRoutes } from "./rest/trips.ts";
import { liveWebSocketRoutes } from "./websocket/routes.ts";

/** The edge's server with all its routes, not listening yet. */
export async function buildServer(edge: EdgeContext): Promise<BuiltServer> {
  const built = await buildNodeServer(edge);
  const { server } = built;
  await server.register(fastifyConnectPlugin, {
    routes: connectRoutes(edge),
    requestGate: callGate(edge),
    readMaxBytes: edge.limits.maxMessageBytes,
    acceptCompression: [compressionGzip],
  });
  const faces = [tripRoutes, liveRoutes, trackRoutes, placementRoutes, sessionRoutes, liveWebSocketRoutes];
  for (const routes of faces) await server.register(routes(edge));
  if (edge.demo) await server.register(demoRoutes(edge, edge.demo));
  if (edge.demo?.joinCode) await server.register(guestRoutes(edge, edge.demo.mint, edge.demo.joinCode));
  if (edge.webRoot !== undefined && existsSync(edge.webRoot)) {
    await server.register(staticFiles, { root: edge.webRoot, cacheControl: true, maxAge: 0 });
    // The page of a trip reads the trip's id from its own address.
    server.get("/trip/:id", (_request, reply) => reply.sendFile("trip.html"));
  }
  return built;
}
