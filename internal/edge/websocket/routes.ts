import type { FastifyPluginAsync } from "fastify";
import { bearerToken } from "../../auth/jwt.ts";
import { BimrideError } from "../../core/errors.ts";
import type { EdgeContext } from "../context.ts";
import { LiveConnection } from "./live-connection.ts";
import { subprotocolToken } from "./subprotocol.ts";

/** A client that gives no sign of life for two of these is cut off. */
const PING_PERIOD_MS = 30_000;

/** `/v1/live`: WatchTrips over WebSocket. The server's `@fastify/websocket` must be registered before. */
export function liveWebSocketRoutes(edge: EdgeContext): FastifyPluginAsync {
  return async (server) => {
    const connections = new Set<LiveConnection>();
    const stopPings = edge.clock.every(PING_PERIOD_MS, () => {
      for (const connection of connections) connection.checkAlive();
    });
    server.addHook("onClose", async () => stopPings());
    server.route({
      method: "GET",
      url: "/v1/live",
      handler: async () => {
        throw new BimrideError("MESSAGE_INVALID", "This is a WebSocket: ask for the upgrade.");
      },
      wsHandler: (socket, { headers }) => {
        const connection = new LiveConnection(edge, socket);
        connections.add(connection);
        socket.on("close", () => connections.delete(connection));
        const token =
          bearerToken(headers.authorization) ?? subprotocolToken(headers["sec-websocket-protocol"]);
        return connection.run(token);
      },
    });
  };
}
