import type { SecureServerOptions } from "node:http2";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import type { ServerTls } from "../core/tls.ts";

/** A client must have shaken hands by then. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Calls and streams at a time on one HTTP/2 connection; further ones wait at the client. */
const MAX_STREAMS_PER_CONNECTION = 100;

/** How a server listens with TLS: everything on HTTP/2 and HTTP/1.1, but for WebSockets, which are on the latter alone. */
export function secureServerOptions(tls: ServerTls): SecureServerOptions {
  return {
    cert: tls.cert,
    key: tls.key,
    minVersion: tls.minVersion,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    allowHTTP1: true,
    settings: { maxConcurrentStreams: MAX_STREAMS_PER_CONNECTION },
  };
}

/** Keeps the server's connections at hand; the function cuts them all. HTTP/2 servers of Node have no such thing. */
export function connectionsOf({ server }: FastifyInstance): { cut(): void } {
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  return {
    cut() {
      for (const socket of open) socket.destroy();
    },
  };
}
