import { hostname } from "node:os";
import { createIngest, type Ingest } from "../ingest/ingest.ts";
import type { Parts } from "./parts.ts";
import { urlHost } from "./ports.ts";

export type Gateway = AsyncDisposable & {
  /** host:port of the drivers' gRPC port. */
  readonly address: string;
  readonly ingest: Ingest;
};

const HEALTH_PERIOD_MS = 1_000;
/** A stop is to take less than 5 s in all. */
const DRAIN = { reconnectWithinMs: 2_000, forceAfterMs: 2_000 };

/** The gateway: the ways in for devices. HTTP and WebSocket are routes of the edge's server in this process. */
export async function startGateway(parts: Parts, port: number): Promise<Gateway> {
  const { settings, engines, authenticator, clock, limits, telemetry } = parts;
  const { log, bus, trips } = engines;
  const ingest = createIngest({
    ...{ log, bus, trips, authenticator, clock, limits, telemetry },
    region: settings.region,
    gatewayId: `${hostname()}-${process.pid}`,
  });
  const grpc = await ingest.startGrpc({ host: settings.grpcHost, port });
  const watch = setInterval(() => {
    void log.health().then((trouble) => grpc.setServing(trouble === undefined));
  }, HEALTH_PERIOD_MS);
  watch.unref();
  return {
    address: `${urlHost(settings.grpcHost)}:${grpc.port}`,
    ingest,
    async [Symbol.asyncDispose]() {
      clearInterval(watch);
      await grpc.drain(DRAIN);
      await ingest.drain(DRAIN);
      await grpc[Symbol.asyncDispose]();
    },
  };
}
