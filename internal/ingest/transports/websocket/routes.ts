import websocket from "@fastify/websocket";
import type { FastifyPluginAsync } from "fastify";
import { bearerToken } from "../../../auth/jwt.ts";
import type { IngestGateway } from "../../gateway.ts";
import { traceparentOf } from "../../trace.ts";
import { IngestConnection } from "./connection.ts";
import { ingestWebSocketOptions, subprotocolTokenOf } from "./subprotocol.ts";

/** Where the ingest WebSocket is. */
export const INGEST_WEBSOCKET_PATH = "/v1/ingest";
const PING_PERIOD_MS = 15_000;

/**
 * The WebSocket of drivers and riders. Uses the server's `@fastify/websocket` where it is registered already (with
 * {@link ingestWebSocketOptions}, once, before these routes), else registers its own.
 * @param pingPeriodMs a client that gives no sign of life for two of these is cut off
 */
export function ingestWebSocketRoutes(
  gateway: IngestGateway,
  { pingPeriodMs = PING_PERIOD_MS } = {},
): FastifyPluginAsync {
  return async (fastify) => {
    if (!fastify.hasDecorator("websocketServer"))
      await fastify.register(websocket, { options: ingestWebSocketOptions(gateway.limits) });
    const connections = new Set<IngestConnection>();
    const stopPings = gateway.ioClock.every(pingPeriodMs, () => {
      for (const connection of connections) connection.checkAlive();
    });
    fastify.addHook("onClose", async () => stopPings());
    fastify.get(INGEST_WEBSOCKET_PATH, { websocket: true }, (socket, { headers }) => {
      const connection = new IngestConnection(gateway, socket);
      connections.add(connection);
      socket.on("close", () => connections.delete(connection));
      const token =
        bearerToken(headers.authorization) ?? subprotocolTokenOf(headers["sec-websocket-protocol"]);
      return connection.start(token, traceparentOf(headers.traceparent));
    });
  };
}
