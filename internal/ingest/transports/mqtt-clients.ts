import { randomUUID } from "node:crypto";
import { fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
import { connect, type MqttClient } from "mqtt";
import { WebSocket } from "ws";
import {
  type PublishRequest,
  PublishRequestSchema,
  PublishResponseSchema,
} from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import { ERRORS, type ErrorCode } from "../../core/errors.ts";
import { SESSION_ID_PATTERN } from "../../core/ids.ts";
import {
  type Answer,
  type Deviations,
  Inbox,
  type IngestClient,
  type IngestTransport,
  type Raw,
} from "./clients.ts";
import type { TestGateway } from "./kit.ts";
import { connackCodeOf } from "./mqtt/connack.ts";

const WS_TOO_BIG = 1009;
/** After these the client connects again and sends what has no PUBACK, as MQTT clients do. */
const RESEND_AFTER: readonly string[] = ["LOG_UNAVAILABLE", "LOG_FULL"] satisfies ErrorCode[];
const RECONNECT_MS = 50;

const DEVIATIONS: Deviations = {
  refusedAs: {
    reason: "a CONNACK has five return codes and no text",
    show: (code) => `CONNACK ${connackCodeOf({ code, rpcCode: ERRORS[code].rpc })}`,
  },
  needsNoHello: {
    reason: "the client id names the session, so that a stock client can send a fix in one line",
  },
};

/** The party that a token is for; whatever it says, the gateway looks at the token itself. */
function partyOf(token: string | undefined): string {
  try {
    const claims = JSON.parse(Buffer.from(token?.split(".")[1] ?? "", "base64url").toString());
    return `${claims.role}/${claims.sub}`;
  } catch {
    return "driver/nobody";
  }
}

/** A device: subscribes, then publishes with QoS 1, and again over the next connection what got no PUBACK. */
class Device extends Inbox implements IngestClient {
  readonly #url: string;
  readonly #token: string | undefined;
  readonly #isJson: boolean;
  readonly #topic: string;
  /** Without their PUBACK, oldest first. */
  readonly #unacked: Raw[] = [];
  #clientId: string = randomUUID();
  #mqtt: MqttClient | undefined;
  #isOpen = false;
  #wsCode: number | undefined;

  constructor(url: string, token: string | undefined, isJson: boolean) {
    super();
    this.#url = url;
    this.#token = token;
    this.#isJson = isJson;
    this.#topic = `v1/${partyOf(token)}`;
    // What is sent together with the call that makes it may be the Hello, which names the session.
    setImmediate(() => this.#connect());
  }

  send(message: PublishRequest): void {
    if (message.message.case === "hello" && !this.#mqtt) {
      const { sessionId } = message.message.value;
      if (SESSION_ID_PATTERN.test(sessionId)) this.#clientId = sessionId;
    }
    this.sendRaw(
      this.#isJson ? toJsonString(PublishRequestSchema, message) : toBinary(PublishRequestSchema, message),
    );
  }

  sendRaw(raw: Raw): void {
    this.#unacked.push(raw);
    if (this.#isOpen) this.#publish(raw);
  }

  finish(): void {
    this.end("");
    this.#mqtt?.end();
  }

  close(): void {
    this.end("");
    this.#mqtt?.stream.destroy();
    this.#mqtt?.end(true);
  }

  #connect(): void {
    if (this.ended !== undefined) return;
    const mqtt = connect(this.#url, {
      ...{ protocolVersion: 4, clean: true, clientId: this.#clientId, reconnectPeriod: 0, keepalive: 60 },
      ...(this.#token !== undefined && { username: "any", password: this.#token }),
      createWebsocket: (url, subprotocols) => {
        const socket = new WebSocket(url, subprotocols);
        socket.on("close", (code) => {
          this.#wsCode = code;
        });
        return socket;
      },
    });
    this.#mqtt = mqtt;
    mqtt.on("connect", () => {
      mqtt.subscribe(`${this.#topic}/down`, { qos: 0 });
      this.#isOpen = true;
      for (const raw of this.#unacked) this.#publish(raw);
    });
    mqtt.on("message", (_topic, payload) => this.answers.push(read(payload)));
    mqtt.on("error", (error) => {
      if ("code" in error && typeof error.code === "number") this.end(`CONNACK ${error.code}`);
    });
    mqtt.on("close", () => this.#closed());
  }

  #publish(raw: Raw): void {
    this.#mqtt?.publish(`${this.#topic}/fixes`, Buffer.from(raw as string), { qos: 1 }, (error) => {
      const index = this.#unacked.indexOf(raw);
      if (!error && index >= 0) this.#unacked.splice(index, 1);
    });
  }

  #closed(): void {
    this.#isOpen = false;
    const last = this.answers.at(-1);
    const code = last?.case === "problem" ? last.value.code : last?.case === "superseded" ? "SUPERSEDED" : "";
    if (RESEND_AFTER.includes(code)) setTimeout(() => this.#connect(), RECONNECT_MS);
    else this.end(this.#wsCode === WS_TOO_BIG ? "MESSAGE_TOO_LARGE" : code);
  }
}

function read(payload: Buffer): Answer {
  const isJson = payload[0] === "{".charCodeAt(0);
  const response = isJson
    ? fromJsonString(PublishResponseSchema, payload.toString())
    : fromBinary(PublishResponseSchema, payload);
  return response.message;
}

const mqttTransport = (
  name: string,
  isJson: boolean,
  urlOf: (gateway: TestGateway) => string,
): IngestTransport => ({
  ...{ name, label: "mqtt", streams: true, deviations: DEVIATIONS },
  connect: (gateway, token) => new Device(urlOf(gateway), token, isJson),
});

/** MQTT over TCP, in JSON. */
export const mqttJsonTransport = mqttTransport(
  "MQTT JSON",
  true,
  ({ mqttPort }) => `mqtt://127.0.0.1:${mqttPort}`,
);
/** MQTT over WebSocket, in protobuf. */
export const mqttProtobufTransport = mqttTransport(
  "MQTT protobuf over WebSocket",
  false,
  ({ httpAddress }) => `ws://${httpAddress}/mqtt`,
);
