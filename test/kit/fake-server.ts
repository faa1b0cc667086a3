import { once } from "node:events";
import { createServer, type Socket } from "node:net";

/** A server of a test's own that is not what it is taken for. */
export type FakeServer = Disposable & {
  /** `host:port` */
  readonly address: string;
  /** How many are connected. */
  connections(): number;
};

/** Listens on a free port. @param met told of everybody who connects; does nothing by default: the server is silent */
export async function fakeServer(met: (socket: Socket) => void = () => {}): Promise<FakeServer> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => open.delete(socket));
    // Read, so that the end of the other side is seen.
    socket.resume();
    met(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    address: `127.0.0.1:${port}`,
    connections: () => open.size,
    [Symbol.dispose]: () => void server.close(),
  };
}
