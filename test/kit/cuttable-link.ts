import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A link to a server that can be cut; it needs no program beside Node. */
export type CuttableLink = Disposable & {
  /** `host:port` that clients connect to instead of the server's. */
  readonly address: string;
  /** Breaks all connections, and new ones as soon as they are made, until `heal`. */
  cut(): void;
  heal(): void;
};

/** Listens on a free port and passes everything on. @param upstream `host:port`; it may be away for a while */
export async function cuttableLink(upstream: string): Promise<CuttableLink> {
  const [host = "", port = ""] = upstream.split(":");
  const open = new Set<Socket>();
  let isCut = false;
  const join = (from: Socket, to: Socket) => {
    open.add(from);
    from.pipe(to);
    from.on("error", () => from.destroy());
    from.on("close", () => {
      open.delete(from);
      to.destroy();
    });
  };
  const server = createServer((client) => {
    if (isCut) {
      client.resetAndDestroy();
      return;
    }
    const onward = connect(Number(port), host);
    join(client, onward);
    join(onward, client);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const breakAll = () => {
    for (const socket of open) socket.resetAndDestroy();
  };
  return {
    address: `127.0.0.1:${(server.address() as { port: number }).port}`,
    cut() {
      isCut = true;
      breakAll();
    },
    heal() {
      isCut = false;
    },
    [Symbol.dispose]() {
      server.close();
      breakAll();
    },
  };
}
