import websocket from "@fastify/websocket";
import type { FastifyPluginAsync } from "fastify";
import type { IngestGateway } from "../../gateway.ts";
import { ingestWebSocketOptions, MQTT_SUBPROTOCOL } from "../websocket/subprotocol.ts";
import type { MqttBroker } from "./broker.ts";
import { webSocketWire } from "./wire.ts";

/** Where MQTT over WebSocket is. */
export const MQTT_WEBSOCKET_PATH = "/mqtt";
const PROTOCOL_ERROR = 1002;

/** MQTT over WebSocket. Uses the server's `@fastify/websocket` where it is registered already, else registers its own. */
export function mqttWebSocketRoutes(gateway: IngestGateway, broker: MqttBroker): FastifyPluginAsync {
  return async (fastify) => {
    if (!fastify.hasDecorator("websocketServer"))
      await fastify.register(websocket, { options: ingestWebSocketOptions(gateway.limits) });
    fastify.get(MQTT_WEBSOCKET_PATH, { websocket: true }, (socket) => {
      if (socket.protocol === MQTT_SUBPROTOCOL) broker.accept(webSocketWire(socket));
      else socket.close(PROTOCOL_ERROR, `offer ${MQTT_SUBPROTOCOL}`);
    });
  };
}
