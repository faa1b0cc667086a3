import { createServer, type Server as NetServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { type Server, ServerCredentials } from "@grpc/grpc-js";
import type { ServerTls } from "../../../core/tls.ts";

/** The port of a gRPC server and the connections on it. */
export type Listener = {
  readonly port: number;
  /** How many are open. */
  readonly connections: number;
  /** Takes no more connections. */
  close(): void;
  /** Cuts those that are still there. */
  destroyConnections(): void;
};

/** A client must have shaken hands by then. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * Listens for the server. The connections are kept at hand, because the library itself only asks them to close: one whose
 * client neither reads nor closes would keep the process from ending. Rejects when the port is taken.
 * @param tls without it the port speaks plaintext
 */
export async function listen(
  server: Server,
  { host, port, tls }: { host: string; port: number; tls?: ServerTls | undefined },
): Promise<Listener> {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const connections = new Set<Socket>();
  const serve = (socket: Socket) => injector.injectConnection(socket);
  const listener = tls ? tlsListener(tls, serve) : createServer(serve);
  // Of TLS the bare ones, which are there before anybody has shaken hands.
  listener.on("connection", (socket: Socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    listener.once("error", reject);
    listener.listen({ host, port }, () => {
      listener.removeListener("error", reject);
      resolve();
    });
  });
  const address = listener.address();
  if (!address || typeof address === "string") throw new Error("the gRPC listener has no port");
  return {
    port: address.port,
    get connections() {
      return connections.size;
    },
    close: () => void listener.close(),
    destroyConnections() {
      for (const socket of connections) socket.destroy();
    },
  };
}

/** TLS ends here and not in the library, which has no way to give a renewed certificate to a server that listens. */
function tlsListener(tls: ServerTls, serve: (socket: Socket) => void): NetServer {
  const { cert, key, minVersion } = tls;
  const listener = createTlsServer(
    { cert, key, minVersion, ALPNProtocols: ["h2"], handshakeTimeout: HANDSHAKE_TIMEOUT_MS },
    serve,
  );
  tls.follow(listener);
  return listener;
}
