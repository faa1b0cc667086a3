import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { FastifyPluginAsync } from "fastify";
import { DEFAULT_WEB_SETTINGS, type ReadinessCheck } from "../edge/deps.ts";
import { createEdge } from "../edge/edge.ts";
import { TripHub } from "../live/trip-hub.ts";
import type { Gateway } from "./gateway-role.ts";
import { type Parts, secureRandom } from "./parts.ts";
import { urlHost } from "./ports.ts";
import type { Processor } from "./processor-role.ts";

export type Edge = AsyncDisposable & {
  readonly url: string;
  isReady(): Promise<boolean>;
};

const WEB_ROOT = fileURLToPath(new URL("../../web/dist", import.meta.url));

/** The edge: the ways out, the pages, and in this process the ingest routes on the same port. */
export async function startEdge(
  parts: Parts,
  port: number,
  gateway: Gateway,
  processor: Processor,
): Promise<Edge> {
  const { settings, engines, clock, limits, telemetry, trips, authenticator, mint } = parts;
  const { bus, latest, history, log } = engines;
  const logger = telemetry.logger.child({ part: "edge" });
  const onError = (error: unknown) => logger.warn({ err: error }, "latest state not read");
  const hub = new TripHub({ bus, latest, clock, limits, onError });
  const readiness: ReadinessCheck[] = [
    { name: "log", check: async () => (await log.health())?.message },
    { name: "projections", check: () => processor.health() },
    { name: "drain", check: () => (gateway.draining ? "draining" : undefined) },
  ];
  const edge = await createEdge({
    ...{
      hub,
      latest,
      history,
      trips,
      tripStore: engines.trips,
      authenticator,
      clock,
      limits,
      telemetry,
      readiness,
    },
    randomBytes: secureRandom,
    webRoot: existsSync(WEB_ROOT) ? WEB_ROOT : undefined,
    drainPlugins: () => gateway.drain(),
    plugins: [gateway.ingest.httpRoutes(), gateway.ingest.webSocketRoutes(), pageSettings(parts)],
    demo: settings.demoEnabled && mint ? { mint } : undefined,
    web: {
      ...DEFAULT_WEB_SETTINGS,
      allowedOrigins: settings.httpOrigins ? settings.httpOrigins.split(",") : [],
      mapOrigins: settings.mapStyleUrl ? [new URL(settings.mapStyleUrl).origin] : [],
    },
  });
  const { port: taken } = await edge.listen(settings.httpHost, port);
  return {
    url: `http://${urlHost(settings.httpHost)}:${taken}`,
    async isReady() {
      for (const { check } of readiness) if ((await check()) !== undefined) return false;
      return true;
    },
    async [Symbol.asyncDispose]() {
      await edge[Symbol.asyncDispose]();
      await hub[Symbol.asyncDispose]();
    },
  };
}

/** What the pages must know of this deployment; nothing here is secret. */
function pageSettings({ settings, limits }: Parts): FastifyPluginAsync {
  return async (server) => {
    server.get("/config.json", async (_request, reply) => {
      reply.header("cache-control", "no-store");
      const { mapStyleUrl: styleUrl, demoEnabled: demo, region } = settings;
      return { styleUrl, demo, region, heartbeatMs: limits.heartbeatMs };
    });
  };
}
