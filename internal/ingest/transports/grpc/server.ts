import { Server } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import type { DrainOptions, IngestGateway } from "../../gateway.ts";
import { type Listener, listen } from "./listener.ts";
import { publishBatchHandler, publishHandler } from "./publish.ts";
import { addReflection } from "./reflection.ts";
import { INGEST_SERVICE_NAME, ingestServiceDefinition } from "./service.ts";
import { type Resets, statusInterceptor } from "./status.ts";

export type GrpcIngestOptions = {
  /** Loopback until the port has TLS. */
  host: string;
  /** 0 for any free port. */
  port: number;
  /** A connection silent for so long is asked whether it is alive. */
  keepaliveTimeMs?: number;
  /** And dropped when it does not answer within this: half-open clients. */
  keepaliveTimeoutMs?: number;
};

/** The running server. */
export type GrpcIngestServer = {
  readonly port: number;
  /** Follows the log's health: NOT_SERVING while appends fail. */
  setServing(serving: boolean): void;
  /** NOT_SERVING, no new streams, Drain to the open ones, and an end by force after the bound. */
  drain(options?: Partial<DrainOptions>): Promise<void>;
  /** Cuts everything at once. */
  [Symbol.asyncDispose](): Promise<void>;
};

const KEEPALIVE_TIME_MS = 20_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
const MAX_STREAMS_PER_CONNECTION = 100;
/** After the streams are gone, connections get so long to close by themselves. */
const SHUTDOWN_GRACE_MS = 1_000;

/** Starts IngestService with health and reflection. Rejects when the port is taken. */
export async function startGrpcIngest(
  gateway: IngestGateway,
  options: GrpcIngestOptions,
): Promise<GrpcIngestServer> {
  const resets: Resets = new WeakMap();
  const server = new Server({
    "grpc.max_receive_message_length": gateway.limits.maxMessageBytes,
    "grpc.max_concurrent_streams": MAX_STREAMS_PER_CONNECTION,
    "grpc.keepalive_time_ms": options.keepaliveTimeMs ?? KEEPALIVE_TIME_MS,
    "grpc.keepalive_timeout_ms": options.keepaliveTimeoutMs ?? KEEPALIVE_TIMEOUT_MS,
    interceptors: [statusInterceptor((error) => void gateway.refusal("grpc", error), resets)],
  });
  server.addService(ingestServiceDefinition, {
    publish: publishHandler(gateway, resets),
    publishBatch: publishBatchHandler(gateway),
  });
  const health = new HealthImplementation({ "": "SERVING", [INGEST_SERVICE_NAME]: "SERVING" });
  health.addToServer(server);
  addReflection(server);
  const listener = await listen(server, options.host, options.port);
  const setServing = (serving: boolean) => {
    for (const service of ["", INGEST_SERVICE_NAME])
      health.setStatus(service, serving ? "SERVING" : "NOT_SERVING");
  };
  return {
    port: listener.port,
    setServing,
    async drain(drainOptions) {
      setServing(false);
      await gateway.drain(drainOptions);
      await shutDown(server, listener, gateway);
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      server.forceShutdown();
      listener.destroyConnections();
    },
  };
}

async function shutDown(server: Server, listener: Listener, gateway: IngestGateway): Promise<void> {
  listener.close();
  await new Promise<void>((resolve) => {
    const force = gateway.ioClock.after(SHUTDOWN_GRACE_MS, () => {
      server.forceShutdown();
      resolve();
    });
    server.tryShutdown(() => {
      force();
      resolve();
    });
  });
  listener.destroyConnections();
}
