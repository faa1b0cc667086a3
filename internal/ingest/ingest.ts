import type { FastifyPluginAsync } from "fastify";
import { type IngestDeps, IngestGateway } from "./gateway.ts";
import type { GrpcIngestOptions, GrpcIngestServer } from "./transports/grpc/server.ts";
import { ingestHttpRoutes } from "./transports/http/routes.ts";
import type { MqttIngestOptions, MqttIngestServer } from "./transports/mqtt/server.ts";
import { ingestWebSocketRoutes } from "./transports/websocket/routes.ts";

/**
 * The way in with its transports. `httpRoutes` is POST /v1/fixes, `webSocketRoutes` is /v1/ingest, both for Fastify;
 * `startGrpc` and `startMqtt` load their libraries on the first call and start the server of IngestService and the one of MQTT.
 */
export type Ingest = IngestGateway & {
  httpRoutes(): FastifyPluginAsync;
  webSocketRoutes(): FastifyPluginAsync;
  startGrpc(options: GrpcIngestOptions): Promise<GrpcIngestServer>;
  startMqtt(options: MqttIngestOptions): Promise<MqttIngestServer>;
};

/** Builds the way in over the ports given. Nothing listens until routes are registered or gRPC is started. */
export function createIngest(deps: IngestDeps): Ingest {
  const gateway = new IngestGateway(deps);
  return Object.assign(gateway, {
    httpRoutes: () => ingestHttpRoutes(gateway),
    webSocketRoutes: () => ingestWebSocketRoutes(gateway),
    async startGrpc(options: GrpcIngestOptions) {
      const { startGrpcIngest } = await import("./transports/grpc/server.ts");
      return startGrpcIngest(gateway, options);
    },
    async startMqtt(options: MqttIngestOptions) {
      const { startMqttIngest } = await import("./transports/mqtt/server.ts");
      return startMqttIngest(gateway, options);
    },
  });
}
