import { createServer, type Socket } from "node:net";
import { type Server, ServerCredentials } from "@grpc/grpc-js";

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

/**
 * Listens for the server. The connections are kept at hand, because the library itself only asks them to close: one whose
 * client neither reads nor closes would keep the process from ending. Rejects when the port is taken.
 */
export async function listen(server: Server, host: string, port: number): Promise<Listener> {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const connections = new Set<Socket>();
  const listener = createServer((socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
    injector.injectConnection(socket);
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
