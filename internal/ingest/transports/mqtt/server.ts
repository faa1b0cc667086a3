import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { FastifyPluginAsync } from "fastify";
import { BimrideError } from "../../../core/errors.ts";
import type { ServerTls } from "../../../core/tls.ts";
import type { IngestGateway } from "../../gateway.ts";
import { MqttBroker } from "./broker.ts";
import { mqttWebSocketRoutes } from "./routes.ts";
import { socketWire } from "./wire.ts";

/** Connections beyond the streams that may be open: who comes then is told in a CONNACK, not cut off. */
const SPARE_CONNECTIONS = 1_000;

export type MqttIngestOptions = {
  host: string;
  /** 0 for any free port. */
  port: number;
  /** The certificate to show; without one the port speaks plaintext. */
  tls?: ServerTls | undefined;
  /** A client that reads none of its answers for so long is ended with CLIENT_TOO_SLOW. */
  unreadTimeoutMs?: number;
};

/** The running server. */
export type MqttIngestServer = AsyncDisposable & {
  readonly port: number;
  /** Connections that are open, those over WebSocket included. */
  readonly connections: number;
  /** MQTT over WebSocket at /mqtt, for Fastify. */
  webSocketRoutes(): FastifyPluginAsync;
};

/** Starts MQTT 3.1.1 over TCP or TLS. Rejects when the port is taken. Drained with the gateway; disposing cuts what is left. */
export async function startMqttIngest(
  gateway: IngestGateway,
  { host, port, tls, unreadTimeoutMs }: MqttIngestOptions,
): Promise<MqttIngestServer> {
  const broker = await MqttBroker.start(gateway, unreadTimeoutMs);
  const { helloTimeoutMs, maxIngestStreams } = gateway.limits;
  const accept = (socket: Socket) => broker.accept(socketWire(socket));
  const server = tls ? tlsServer(tls, helloTimeoutMs, accept) : createServer(accept);
  // Of TLS the bare ones, which are there before anybody has shaken hands.
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.maxConnections = maxIngestStreams + SPARE_CONNECTIONS;
  server.on("drop", () => void gateway.refusal("mqtt", new BimrideError("OVERLOADED")));
  try {
    await listening(server, host, port);
  } catch (error) {
    await broker[Symbol.asyncDispose]();
    throw error;
  }
  const address = server.address();
  if (!address || typeof address === "string") throw new Error("the MQTT listener has no port");
  return {
    port: address.port,
    get connections() {
      return broker.connections;
    },
    webSocketRoutes: () => mqttWebSocketRoutes(gateway, broker),
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await broker[Symbol.asyncDispose]();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function tlsServer(tls: ServerTls, handshakeTimeout: number, accept: (socket: Socket) => void): Server {
  const { cert, key, minVersion } = tls;
  const server = createTlsServer({ cert, key, minVersion, handshakeTimeout }, accept);
  tls.follow(server);
  return server;
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}
