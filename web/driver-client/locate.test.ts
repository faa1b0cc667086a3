import fastify from "fastify";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Authenticator } from "../../internal/auth/principal.ts";
import { placementRoutes } from "../../internal/edge/rest/placement.ts";
import { startTestGateway } from "../../internal/ingest/transports/kit.ts";
import { localNodes } from "../../internal/placement/local/nodes.ts";
import { createPlacement } from "../../internal/placement/placement.ts";
import { startDriver } from "./driver.ts";
import { grpcTransport } from "./grpc/grpc.ts";
import { locateGatewaysAt } from "./locate.ts";
import { memoryStore } from "./stores/memory-store.ts";

const NOBODY = "127.0.0.1:1";
const GOTHENBURG = { latDeg: 57.7089, lonDeg: 11.9746 };

let stack = new AsyncDisposableStack();
afterEach(async () => {
  const over = stack;
  stack = new AsyncDisposableStack();
  await over.disposeAsync();
});

/** A node that answers GET /v1/placement with these gateways; keeps the addresses that it was called under. */
async function placementNode(...grpcAddresses: string[]) {
  const registry = localNodes();
  for (const [i, grpcAddress] of grpcAddresses.entries())
    await registry.announce({
      ...{ nodeId: `g${i}`, kind: "gateway", region: "se1" },
      ...{ httpUrl: "http://g.invalid", grpcAddress },
    });
  const byRegion = new Map([["se1", registry]]);
  const placement = createPlacement({ byRegion, defaultRegion: "se1", regionOf: () => "se1" });
  // The gateways of these tests have keys of their own; who is placed is not what they are about.
  const authenticator: Authenticator = {
    authenticate: async () => ({
      role: "driver",
      subject: "dana",
      signInId: "in-1",
      expiresAtMs: Number.POSITIVE_INFINITY,
    }),
  };
  const server = fastify();
  const called: string[] = [];
  server.addHook("onRequest", async ({ url }) => {
    called.push(url);
  });
  await server.register(placementRoutes({ placement, authenticator }));
  stack.defer(() => server.close());
  return { called, httpUrl: await server.listen({ host: "127.0.0.1", port: 0 }) };
}

describe("a driver who asks where to go", () => {
  it.each([
    ["goes where placement says", "names", NOBODY],
    ["falls back to the gateway that it knows when the ones named are dead", "dead", "own"],
    ["falls back to it when nobody answers for placement", "silent", "own"],
  ])("%s", async (_title, placement, known) => {
    const gateway = stack.use(await startTestGateway());
    const own = `127.0.0.1:${gateway.grpcPort}`;
    const node = await placementNode(...(placement === "names" ? [own] : ["127.0.0.1:2", "127.0.0.1:3"]));
    const fallback = known === "own" ? own : known;
    const driver = await startDriver({
      baseUrl: node.httpUrl,
      token: () => gateway.token("driver", "dana"),
      store: memoryStore(),
      transportsTo: ({ grpcAddress }) => [grpcTransport(grpcAddress || fallback)],
      locate: locateGatewaysAt(placement === "silent" ? `http://${NOBODY}` : node.httpUrl),
    });
    stack.defer(() => driver.stop());
    driver.record(GOTHENBURG);
    driver.record(GOTHENBURG);
    await vi.waitFor(() => expect(driver.state.settled).toBe(2), { timeout: 20_000 });
    // Not where it is, only roughly: URLs are logged.
    expect(node.called).toEqual(placement === "silent" ? [] : ["/v1/placement?geohash=u628"]);
  });

  it("gets no address from what is no answer, and does not wait for one that never comes", async () => {
    const server = fastify();
    stack.defer(() => server.close());
    server.get("/v1/placement", async (request, reply) => {
      const { authorization } = request.headers;
      if (authorization === "Bearer odd") return reply.send("[]");
      if (authorization === "Bearer none") return reply.code(503).send("{}");
      reply.hijack();
      request.raw.socket.setTimeout(5_000, () => request.raw.socket.destroy());
    });
    const httpUrl = await server.listen({ host: "127.0.0.1", port: 0 });
    for (const token of ["odd", "none", "never"])
      expect(await locateGatewaysAt(httpUrl)(token, GOTHENBURG, "se1")).toEqual([]);
    server.server.closeAllConnections();
  });
});
