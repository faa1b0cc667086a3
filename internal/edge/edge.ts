import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { edgeContext, type NodeContext } from "./context.ts";
import type { EdgeDeps } from "./deps.ts";
import { edgeEvents } from "./events.ts";
import { type BuiltServer, buildNodeServer, type Route } from "./node-server.ts";
import { buildServer } from "./server.ts";

/** Streams that did not end by themselves this long after the drain began are cut off. */
const DRAIN_GRACE_MS = 2_000;

/** A node's HTTP server. Dispose it to drain: streams end with DRAINING, then the server closes. */
export interface NodeServer extends AsyncDisposable {
  readonly server: FastifyInstance;
  /** Every route, for whoever holds documents against them. */
  readonly routes: readonly Route[];
  /** Starts to listen; port 0 takes a free one. Rejects with the system's error (EADDRINUSE …) when it can't. */
  listen(host: string, port: number): Promise<{ host: string; port: number }>;
}

/** Builds the edge: the ways out, as one HTTP server. Nothing listens yet. */
export async function createEdge(deps: EdgeDeps): Promise<NodeServer> {
  const edge = edgeContext(deps);
  return nodeServer(await buildServer(edge), () =>
    Promise.allSettled([edge.watches.drain(), deps.drainPlugins?.()]),
  );
}

/** Builds the HTTP server of a node that is no edge: probes, metrics, and the routes of the plugins. Nothing listens yet. */
export async function createNodeServer(
  deps: Omit<NodeContext, "events"> & { drainPlugins?: () => Promise<void> },
): Promise<NodeServer> {
  const built = await buildNodeServer({ ...deps, events: edgeEvents(deps.telemetry) });
  return nodeServer(built, async () => deps.drainPlugins?.());
}

function nodeServer({ server, routes, cut: cutAll }: BuiltServer, drain: () => Promise<unknown>): NodeServer {
  let closing: Promise<void> | undefined;
  const close = async () => {
    // Wall time on purpose: a grace on a test's clock would never end.
    const grace = Promise.withResolvers<void>();
    const cut = setTimeout(() => {
      grace.resolve();
      cutAll();
    }, DRAIN_GRACE_MS);
    try {
      await Promise.race([drain(), grace.promise]);
      await server.close();
    } finally {
      clearTimeout(cut);
    }
  };
  return {
    server,
    routes,
    async listen(host, port) {
      await server.listen({ host, port });
      const { port: taken } = server.server.address() as AddressInfo;
      return { host, port: taken };
    },
    async [Symbol.asyncDispose]() {
      closing ??= close();
      await closing;
    },
  };
}
