import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { FastifyPluginAsync } from "fastify";
import { isLoopback } from "../config/registry.ts";
import { DEFAULT_WEB_SETTINGS, type ReadinessCheck, type WebSettings } from "../edge/deps.ts";
import { createEdge, createNodeServer, type NodeServer } from "../edge/edge.ts";
import { placementRoutes } from "../edge/rest/placement.ts";
import { BusPresence } from "../live/presence.ts";
import { TripHub } from "../live/trip-hub.ts";
import type { Gateway } from "./gateway-role.ts";
import { EVERY_ADDRESS } from "./lan.ts";
import { type Parts, secureRandom } from "./parts.ts";
import { placementOf } from "./placement.ts";
import { urlHost } from "./ports.ts";
import type { Processor } from "./processor-role.ts";
import type { Role } from "./roles.ts";

/** The process's HTTP port. */
export type Web = AsyncDisposable & {
  /** Where this machine reaches it. */
  readonly url: string;
  /** Where others do: the public address that is set, those of the network, else as this machine. */
  readonly publicUrls: readonly string[];
  isReady(): Promise<boolean>;
};

const WEB_ROOT = fileURLToPath(new URL("../../web/dist", import.meta.url));

/** The process's HTTP server: probes and metrics for every role, the ways in of a gateway, the ways out of an edge. */
export async function startWeb(
  parts: Parts,
  roles: ReadonlySet<Role>,
  port: number,
  gateway: Gateway | undefined,
  processors: readonly Processor[],
): Promise<Web> {
  await using stack = new AsyncDisposableStack();
  const { settings } = parts;
  const readiness = readinessOf(parts, gateway, processors);
  const plugins = gateway
    ? [gateway.ingest.httpRoutes(), gateway.ingest.webSocketRoutes(), gateway.mqttWebSocketRoutes()]
    : [];
  const drain = gateway ? { drainPlugins: () => gateway.drain() } : {};
  const server = roles.has("edge")
    ? await edgeServer(stack, parts, { readiness, plugins: [...plugins, pageSettings(parts)], ...drain })
    : await createNodeServer({
        ...parts,
        readiness,
        plugins: [...plugins, ...placementOfOthers(parts)],
        web: webSettings(parts),
        ...drain,
      });
  stack.use(server);
  const { port: taken } = await server.listen(settings.httpHost, port);
  const owned = stack.move();
  return {
    ...addressesOf(parts, taken),
    async isReady() {
      for (const { check } of readiness) if ((await check()) !== undefined) return false;
      return true;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function addressesOf({ settings, tls, lan }: Parts, port: number): Pick<Web, "url" | "publicUrls"> {
  const at = (host: string) => `${tls ? "https" : "http"}://${urlHost(host)}:${port}`;
  const { httpHost, httpPublicUrl } = settings;
  const isEverywhere = lan !== undefined && httpHost === EVERY_ADDRESS;
  const url = at(isEverywhere ? "127.0.0.1" : httpHost);
  const inNetwork = isEverywhere ? lan.addresses.map(at) : [url];
  return { url, publicUrls: httpPublicUrl === "" ? inNetwork : [httpPublicUrl] };
}

/** Gateways tell clients where to go too; who lets nobody in does not. */
function placementOfOthers(parts: Parts): FastifyPluginAsync[] {
  const { door } = parts;
  return door ? [placementRoutes({ placement: placementOf(parts), ...door })] : [];
}

type Served = {
  readiness: readonly ReadinessCheck[];
  plugins: readonly FastifyPluginAsync[];
  drainPlugins?: () => Promise<void>;
};

async function edgeServer(stack: AsyncDisposableStack, parts: Parts, served: Served): Promise<NodeServer> {
  const { settings, engines, clock, limits, telemetry, trips, door, mint, tls, lan } = parts;
  const { bus, latest, history } = engines;
  if (!door) throw new Error("an edge needs keys to check tokens with");
  const logger = telemetry.logger.child({ part: "edge" });
  const onError = (error: unknown) => logger.warn({ err: error }, "latest state not read");
  const hub = stack.use(new TripHub({ bus, latest, clock, limits, onError }));
  const presence = stack.use(new BusPresence({ bus, clock, limits }));
  return createEdge({
    ...{ hub, presence, latest, history, trips, clock, limits, telemetry, tls, ...door },
    ...served,
    tripStore: engines.trips,
    placement: placementOf(parts),
    randomBytes: secureRandom,
    webRoot: existsSync(WEB_ROOT) ? WEB_ROOT : undefined,
    demo: settings.demoEnabled && mint ? { mint, joinCode: lan?.joinCode } : undefined,
    web: webSettings(parts),
  });
}

/**
 * What must be well for this process to be sent work. A gateway is well while fixes are taken, by the log or by its spool;
 * an edge shows what it has, whatever is away.
 */
function readinessOf(
  { byRegion }: Parts,
  gateway: Gateway | undefined,
  processors: readonly Processor[],
): ReadinessCheck[] {
  const checks: ReadinessCheck[] = [];
  if (gateway) {
    checks.push({ name: "log", check: async () => (await gateway.ingest.health())?.message });
    checks.push({ name: "drain", check: () => (gateway.draining ? "draining" : undefined) });
  } else if (processors.length > 0) {
    for (const [name, { engines }] of byRegion)
      checks.push({ name: `log ${name}`, check: async () => (await engines.log.health())?.message });
  }
  for (const processor of processors) checks.push({ name: "projections", check: () => processor.health() });
  return checks;
}

function webSettings({ settings, tls, lan }: Parts): WebSettings {
  return {
    ...DEFAULT_WEB_SETTINGS,
    // A browser remembers it for a year: for a name with a certificate that lasts, not for what is tried out here.
    strictTransport: tls !== undefined && !lan && !isLoopback(settings.httpHost),
    allowedOrigins: settings.httpOrigins ? settings.httpOrigins.split(",") : [],
    mapOrigins: settings.mapStyleUrl ? [new URL(settings.mapStyleUrl).origin] : [],
  };
}

/** What the pages must know of this deployment; nothing here is secret. */
function pageSettings({ settings, limits, engines, lan }: Parts): FastifyPluginAsync {
  return async (server) => {
    server.get("/config.json", async (_request, reply) => {
      reply.header("cache-control", "no-store");
      const { mapStyleUrl: styleUrl, demoEnabled: demo } = settings;
      const join = lan?.joinCode !== undefined;
      return { styleUrl, demo, join, region: engines.log.region, heartbeatMs: limits.heartbeatMs };
    });
  };
}
