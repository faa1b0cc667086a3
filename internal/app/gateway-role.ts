import type { FastifyPluginAsync } from "fastify";
import { systemClock } from "../core/time.ts";
import type { IngestRegion } from "../ingest/homes.ts";
import { createIngest, type Ingest } from "../ingest/ingest.ts";
import { openSpool, type Spool } from "../ingest/spool/spool.ts";
import { SpoolEvents } from "../ingest/spool-events.ts";
import type { Parts, RegionParts } from "./parts.ts";
import { urlHost } from "./ports.ts";

export type Gateway = AsyncDisposable & {
  /** host:port of the drivers' gRPC port. */
  readonly address: string;
  /** host:port of the devices' MQTT port. */
  readonly mqttAddress: string;
  /** MQTT over WebSocket, for the process's HTTP server. */
  readonly mqttWebSocketRoutes: () => FastifyPluginAsync;
  readonly ingest: Ingest;
  /** True once it goes away. */
  readonly draining: boolean;
  /** Tells the devices on every transport to reconnect, ends what is left, and lets the log have what was accepted. */
  drain(): Promise<void>;
};

const HEALTH_PERIOD_MS = 1_000;
/** A stop is to take less than 5 s in all; shorter than the edge's own grace, so that WebSockets hear why they end. */
const DRAIN = { reconnectWithinMs: 1_000, forceAfterMs: 1_500 };

/** 0 for any free one. */
export type GatewayPorts = { grpc: number; mqtt: number };

/**
 * The gateway: the ways in for devices. HTTP and WebSocket are routes of the process's HTTP server. On real engines a spool
 * per region stands in for a log that is away; an embedded log is on the same disk, so there a spool would help nobody.
 */
export async function startGateway(parts: Parts, ports: GatewayPorts): Promise<Gateway> {
  const { settings, engines, door, clock, limits, telemetry, nodeId } = parts;
  const { bus, trips } = engines;
  if (!door) throw new Error("a gateway needs keys to check tokens with");
  await using stack = new AsyncDisposableStack();
  const regions = await withSpools(stack, parts);
  const ingest = createIngest({
    ...{ regions, bus, trips, clock, limits, telemetry, ...door },
    tripActions: parts.trips,
    regionOf: parts.regionOf,
    ownRegion: engines.log.region,
    gatewayId: nodeId,
  });
  stack.use(ingest);
  door.rollCall.answerFor((user) => ingest.present(user));
  const { tls } = parts;
  const grpc = stack.use(await ingest.startGrpc({ host: settings.grpcHost, port: ports.grpc, tls }));
  const mqtt = stack.use(await ingest.startMqtt({ host: settings.mqttHost, port: ports.mqtt, tls }));
  const watch = setInterval(() => {
    void ingest.health().then((trouble) => grpc.setServing(trouble === undefined));
  }, HEALTH_PERIOD_MS);
  watch.unref();
  let draining: Promise<void> | undefined;
  const drain = () => {
    clearInterval(watch);
    draining ??= grpc.drain(DRAIN);
    return draining;
  };
  const owned = stack.move();
  return {
    drain,
    get draining() {
      return draining !== undefined;
    },
    address: `${urlHost(settings.grpcHost)}:${grpc.port}`,
    mqttAddress: `${urlHost(settings.mqttHost)}:${mqtt.port}`,
    mqttWebSocketRoutes: () => mqtt.webSocketRoutes(),
    ingest,
    async [Symbol.asyncDispose]() {
      await drain();
      await ingest.drain(DRAIN);
      await owned.disposeAsync();
    },
  };
}

/** The regions' logs, each with its spool where there is one. */
async function withSpools(
  stack: AsyncDisposableStack,
  { settings, byRegion, telemetry }: Parts,
): Promise<ReadonlyMap<string, IngestRegion>> {
  const regions = new Map<string, IngestRegion>();
  const events = new SpoolEvents(telemetry, systemClock);
  for (const [region, { context, engines }] of byRegion) {
    const spool =
      settings.engines === "real" ? stack.use(await openRegionSpool(region, context, events)) : undefined;
    regions.set(region, { log: engines.log, spool });
  }
  return regions;
}

function openRegionSpool(
  region: string,
  { settings, sharedPath }: RegionParts["context"],
  events: SpoolEvents,
): Promise<Spool> {
  return openSpool({
    folder: sharedPath("spool"),
    region,
    maxBytes: settings.gatewaySpoolMaxBytes,
    clock: systemClock,
    onEvent: events.of(region),
  });
}
