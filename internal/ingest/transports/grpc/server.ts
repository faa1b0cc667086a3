import { Server } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { sleep } from "../../../core/time.ts";
import type { ServerTls } from "../../../core/tls.ts";
import type { DrainOptions, IngestGateway } from "../../gateway.ts";
import { type Listener, listen } from "./listener.ts";
import { publishBatchHandler, publishHandler } from "./publish.ts";
import { addReflection } from "./reflection.ts";
import { INGEST_SERVICE_NAME, ingestServiceDefinition } from "./service.ts";
import { type Resets, statusInterceptor } from "./status.ts";

export type GrpcIngestOptions = {
  host: string;
  /** 0 for any free port. */
  port: number;
  /** The certificate to show; without one the port speaks plaintext. */
  tls?: ServerTls | undefined;
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
/** After the streams are gone, connections get so many waits of so long to close by themselves: a second. */
const SHUTDOWN_GRACE = { waits: 50, waitMs: 20 };

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
  const listener = await listen(server, options);
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

/**
 * Asks the connections to close, each once its client has read how its calls ended, and cuts those that do not. The
 * connections are looked at themselves: the library calls back at once, whatever is open (Node's Http2Server.close closes
 * the sessions before it does, and it takes a closing one for closed).
 */
async function shutDown(server: Server, listener: Listener, { ioClock }: IngestGateway): Promise<void> {
  listener.close();
  server.tryShutdown(() => {});
  // Many short waits: a process that stood still for a second uses up one of them, and has not cut what it never sent.
  for (let waits = 0; listener.connections > 0 && waits < SHUTDOWN_GRACE.waits; waits++)
    await sleep(ioClock, SHUTDOWN_GRACE.waitMs);
  server.forceShutdown();
  listener.destroyConnections();
}
