import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { fromBinary, fromJsonString, toJsonString } from "@bufbuild/protobuf";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import {
  type PublishRequest,
  PublishRequestSchema,
  PublishResponseSchema,
} from "../../../../gen/bimride/tracking/v1/ingest_pb.ts";
import { type Answer, Inbox, type IngestClient } from "../clients.ts";
import type { TestGateway } from "../kit.ts";

/** MQTT.js as a driver's client, connected. Sends in JSON with QoS 1. */
export class MqttDriver extends Inbox {
  readonly mqtt: MqttClient;
  readonly topics: { fixes: string; down: string };
  /** Ids of the publishes that were acknowledged, in order. */
  readonly acked: number[] = [];

  private constructor(mqtt: MqttClient, driver: string) {
    super();
    this.mqtt = mqtt;
    this.topics = { fixes: `v1/driver/${driver}/fixes`, down: `v1/driver/${driver}/down` };
    mqtt.on("error", () => {});
    mqtt.on("close", () => this.end(""));
    mqtt.on("message", (_topic, payload) => this.answers.push(answerOf(payload)));
    mqtt.on("packetreceive", (packet) => {
      if (packet.cmd === "puback" || packet.cmd === "pubrec") this.acked.push(packet.messageId as number);
    });
  }

  /** Rejects with the CONNACK's return code as `code` when it is not let in. */
  static async connect(
    gateway: Pick<TestGateway, "mqttPort" | "token">,
    driver: string,
    options: IClientOptions = {},
  ): Promise<MqttDriver> {
    const password = options.password ?? (await gateway.token("driver", driver));
    const mqtt = await connectAsync(
      `mqtt://127.0.0.1:${gateway.mqttPort}`,
      {
        ...{ protocolVersion: 4, clientId: "session-1", username: "any", password, reconnectPeriod: 0 },
        ...options,
      },
      false,
    );
    return new MqttDriver(mqtt, driver);
  }

  /** Subscribes to what the driver is told. */
  async listen(): Promise<this> {
    await this.mqtt.subscribeAsync(this.topics.down);
    return this;
  }

  /** Resolves when it is acknowledged. */
  async publish(message: PublishRequest, options: { qos?: 0 | 1 | 2; retain?: boolean } = {}): Promise<void> {
    const text = toJsonString(PublishRequestSchema, message);
    await this.mqtt.publishAsync(this.topics.fixes, text, { qos: 1, ...options });
  }

  /** Resolves at the next event of the name. */
  next(event: "close" | "reconnect" | "packetreceive"): Promise<void> {
    return new Promise((resolve) => {
      this.mqtt.once(event, () => resolve());
    });
  }

  /** As the shared helpers of the tests see it. */
  get asClient(): IngestClient {
    return this as unknown as IngestClient;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mqtt.endAsync(true);
  }
}

/** A message to the device, in JSON or protobuf. */
export function answerOf(payload: Buffer): Answer {
  const isJson = payload[0] === "{".charCodeAt(0);
  const response = isJson
    ? fromJsonString(PublishResponseSchema, payload.toString())
    : fromBinary(PublishResponseSchema, payload);
  return response.message;
}

/** A connection on which bytes are sent by hand, and what came back. */
export type RawMqtt = Disposable & { socket: Socket; received: Buffer[]; readonly isClosed: boolean };

/** Opens one. */
export async function rawMqtt({ mqttPort }: Pick<TestGateway, "mqttPort">): Promise<RawMqtt> {
  const socket = connectTcp(mqttPort, "127.0.0.1");
  const received: Buffer[] = [];
  socket.on("error", () => {});
  socket.on("data", (bytes: Buffer) => received.push(bytes));
  await once(socket, "connect");
  return {
    ...{ socket, received },
    get isClosed() {
      return socket.closed || socket.readableEnded;
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

/** A CONNECT, by hand. @param level 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5 */
export function connectPacket({ level = 4, keepaliveS = 60, clientId = "session-1", password = "" }): Buffer {
  const name = level === 3 ? "MQIsdp" : "MQTT";
  const properties = level === 5 ? [0] : [];
  const flags = password ? 0b1100_0010 : 0b0000_0010;
  const head = [...text(name), level, flags, keepaliveS >> 8, keepaliveS & 255, ...properties];
  const body = [...head, ...text(clientId), ...(password ? [...text("any"), ...text(password)] : [])];
  return Buffer.from([0x10, (body.length & 127) | 128, body.length >> 7, ...body]);
}

/** A SUBSCRIBE, by hand. */
export function subscribePacket(topic: string): Buffer {
  const body = [0, 1, ...text(topic), 0];
  return Buffer.from([0x82, body.length, ...body]);
}

function text(value: string): number[] {
  const bytes = Buffer.from(value);
  return [bytes.length >> 8, bytes.length & 255, ...bytes];
}
