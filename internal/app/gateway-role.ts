import { createIngest, type Ingest } from "../ingest/ingest.ts";
import type { Parts } from "./parts.ts";
import { urlHost } from "./ports.ts";

export type Gateway = AsyncDisposable & {
  /** host:port of the drivers' gRPC port. */
  readonly address: string;
  readonly ingest: Ingest;
  /** True once it goes away. */
  readonly draining: boolean;
  /** True where a spool on the disk stands in for a log that is away. */
  readonly spools: boolean;
  /** Tells the devices on every transport to reconnect, ends what is left, and lets the log have what was accepted. */
  drain(): Promise<void>;
};

const HEALTH_PERIOD_MS = 1_000;
/** A stop is to take less than 5 s in all; shorter than the edge's own grace, so that WebSockets hear why they end. */
const DRAIN = { reconnectWithinMs: 1_000, forceAfterMs: 1_500 };

/** The gateway: the ways in for devices. HTTP and WebSocket are routes of the process's HTTP server. */
export async function startGateway(parts: Parts, port: number): Promise<Gateway> {
  const { settings, engines, authenticator, clock, limits, telemetry, nodeId } = parts;
  const { log, bus, trips } = engines;
  if (!authenticator) throw new Error("a gateway needs keys to check tokens with");
  const ingest = createIngest({
    ...{ log, bus, trips, authenticator, clock, limits, telemetry },
    region: log.region,
    gatewayId: nodeId,
  });
  const grpc = await ingest.startGrpc({ host: settings.grpcHost, port });
  const watch = setInterval(() => {
    void log.health().then((trouble) => grpc.setServing(trouble === undefined));
  }, HEALTH_PERIOD_MS);
  watch.unref();
  let draining: Promise<void> | undefined;
  const drain = () => {
    clearInterval(watch);
    draining ??= grpc.drain(DRAIN);
    return draining;
  };
  return {
    drain,
    get draining() {
      return draining !== undefined;
    },
    spools: false,
    address: `${urlHost(settings.grpcHost)}:${grpc.port}`,
    ingest,
    async [Symbol.asyncDispose]() {
      await drain();
      await ingest.drain(DRAIN);
      await grpc[Symbol.asyncDispose]();
    },
  };
}
