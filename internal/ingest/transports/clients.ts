import { Agent, request } from "node:http";
import { create, fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { WebSocket } from "ws";
import {
  PublishBatchRequestSchema,
  PublishBatchResponseSchema,
  type PublishRequest,
  PublishRequestSchema,
  type PublishResponse,
  PublishResponseSchema,
} from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { ErrorCode } from "../../core/errors.ts";
import type { Transport } from "../events.ts";
import { CODE_TRAILER } from "./grpc/status.ts";
import type { TestGateway } from "./kit.ts";
import { JSON_SUBPROTOCOL, PROTOBUF_SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX } from "./websocket/subprotocol.ts";

export type Answer = PublishResponse["message"];
/** Bytes or text instead of a message. */
export type Raw = Uint8Array | string;

/** A client of one transport, as the conformance suite and the fuzz test drive it. */
export type IngestClient = {
  send(message: PublishRequest): void;
  /** Sends what need not be a message. */
  sendRaw(raw: Raw): void;
  /** All answers so far, oldest first. */
  readonly answers: readonly Answer[];
  /** The code that ended the stream (a code of the vocabulary, or empty for a normal end); undefined while it runs. */
  readonly ended: string | undefined;
  /** Sends nothing more and lets the server end the stream. */
  finish(): void;
  /** Breaks the connection off. */
  close(): void;
};

/** Where a transport's nature makes it do otherwise than the others, each with the reason. */
export type Deviations = {
  /** How a client that is not let in sees the code. */
  refusedAs: { reason: string; show(code: ErrorCode): string };
  /** A stream may begin with anything. */
  needsNoHello: { reason: string };
};

/** What a client of the transport sees when it is not let in for the reason. */
export function refusedAs({ deviations }: IngestTransport, code: ErrorCode): string {
  return deviations?.refusedAs.show(code) ?? code;
}

/** @property streams false for calls without a stream: no Welcome, and an error ends no stream */
export type IngestTransport = {
  name: string;
  label: Transport;
  streams: boolean;
  deviations?: Deviations;
  /** @param token undefined for none */
  connect(gateway: TestGateway, token: string | undefined): IngestClient;
};

const PUBLISH = "/bimride.tracking.v1.IngestService/Publish";
const PUBLISH_BATCH = "/bimride.tracking.v1.IngestService/PublishBatch";
const asIs = (bytes: Buffer) => bytes;

/** What a client was told. */
export class Inbox {
  readonly answers: Answer[] = [];
  ended: string | undefined;

  end(code: string): void {
    this.ended ??= code;
  }
}

/** gRPC bidi. */
export const grpcTransport: IngestTransport = {
  name: "gRPC stream",
  label: "grpc",
  streams: true,
  connect(gateway, token) {
    const client = new Client(`127.0.0.1:${gateway.grpcPort}`, credentials.createInsecure());
    const inbox = new Inbox();
    const call = client.makeBidiStreamRequest(PUBLISH, asIs, asIs, metadataOf(token));
    call.on("data", (bytes: Buffer) => inbox.answers.push(fromBinary(PublishResponseSchema, bytes).message));
    call.on("error", (error: ServiceError) => {
      inbox.end(codeOf(error));
      client.close();
    });
    call.on("end", () => inbox.end(""));
    call.on("status", () => client.close());
    return Object.assign(inbox, {
      send: (message: PublishRequest) =>
        void call.write(Buffer.from(toBinary(PublishRequestSchema, message))),
      sendRaw: (raw: Raw) => void call.write(Buffer.from(raw as string)),
      finish: () => void call.end(),
      close: () => call.cancel(),
    });
  },
};

type Calls = { call(body: Raw | PublishRequest[]): Promise<Answer>; close(): void };

/** Calls without a stream, made to look like one: a Hello is kept, every batch goes out with it. */
function batchTransport(
  name: string,
  label: IngestTransport["label"],
  open: (gateway: TestGateway, token: string | undefined) => Calls,
): IngestTransport {
  return {
    name,
    label,
    streams: false,
    connect(gateway, token) {
      const inbox = new Inbox();
      const calls = open(gateway, token);
      let hello: PublishRequest | undefined;
      let last: Promise<unknown> = Promise.resolve();
      const call = (body: Raw | PublishRequest[]) => {
        last = last.then(async () => {
          inbox.answers.push(await calls.call(body));
        });
      };
      return Object.assign(inbox, {
        send(message: PublishRequest) {
          if (message.message.case === "hello") hello = message;
          else call(hello ? [hello, message] : [message]);
        },
        sendRaw: call,
        finish: () => void last.then(() => inbox.end("")),
        close: () => calls.close(),
      });
    },
  };
}

/** gRPC unary. */
export const grpcBatchTransport = batchTransport("gRPC call", "grpc", (gateway, token) => {
  const client = new Client(`127.0.0.1:${gateway.grpcPort}`, credentials.createInsecure());
  const metadata = metadataOf(token);
  return {
    close: () => client.close(),
    call(body) {
      const bytes = isRaw(body) ? Buffer.from(body as string) : Buffer.from(batchRequest(body));
      return new Promise((resolve) => {
        client.makeUnaryRequest(PUBLISH_BATCH, asIs, asIs, bytes, metadata, (error, answer) =>
          resolve(error || !answer ? problem(error ? codeOf(error) : "") : ackOf(answer)),
        );
      });
    },
  };
});

/** POST /v1/fixes in protobuf. */
export const httpProtobufTransport = batchTransport("HTTP protobuf", "http", (gateway, token) =>
  httpCalls(gateway, token, "application/x-protobuf", batchRequest),
);

/** POST /v1/fixes in JSON. */
export const httpJsonTransport = batchTransport("HTTP JSON", "http", (gateway, token) =>
  httpCalls(gateway, token, "application/json", (messages) => JSON.stringify(batchJson(messages))),
);

/** WebSocket. @param offerToken how the token comes: as a header, or as browsers must, among the subprotocols */
function webSocketTransport(subprotocol: string, offerToken: boolean): IngestTransport {
  const isJson = subprotocol === JSON_SUBPROTOCOL;
  return {
    name: `WebSocket ${isJson ? "JSON" : "protobuf"}`,
    label: "websocket",
    streams: true,
    connect(gateway, token) {
      const inbox = new Inbox();
      const offered = offerToken && token ? [`${TOKEN_SUBPROTOCOL_PREFIX}${token}`] : [];
      const headers = !offerToken && token ? { authorization: `Bearer ${token}` } : {};
      const socket = new WebSocket(`ws://${gateway.httpAddress}/v1/ingest`, [subprotocol, ...offered], {
        headers,
      });
      const queue: Raw[] = [];
      const send = (raw: Raw) => {
        if (socket.readyState === WebSocket.CONNECTING) queue.push(raw);
        else if (socket.readyState === WebSocket.OPEN) socket.send(raw);
      };
      socket.on("open", () => {
        for (const raw of queue) socket.send(raw);
      });
      socket.on("message", (data: Buffer) => {
        const read = isJson
          ? fromJsonString(PublishResponseSchema, data.toString())
          : fromBinary(PublishResponseSchema, data);
        inbox.answers.push(read.message);
      });
      socket.on("error", () => inbox.end("ERROR"));
      socket.on("close", (code, reason) => {
        inbox.end(code === 1009 ? "MESSAGE_TOO_LARGE" : code === 1000 ? "" : reason.toString());
      });
      return Object.assign(inbox, {
        send: (message: PublishRequest) =>
          send(
            isJson ? toJsonString(PublishRequestSchema, message) : toBinary(PublishRequestSchema, message),
          ),
        sendRaw: send,
        finish: () => socket.close(1000),
        close: () => socket.terminate(),
      });
    },
  };
}

export const webSocketProtobufTransport = webSocketTransport(PROTOBUF_SUBPROTOCOL, false);
export const webSocketJsonTransport = webSocketTransport(JSON_SUBPROTOCOL, true);

function isRaw(body: Raw | PublishRequest[]): body is Raw {
  return !Array.isArray(body);
}

function batchRequest(messages: PublishRequest[]): Uint8Array {
  const request = create(PublishBatchRequestSchema);
  for (const { message } of messages) {
    if (message.case === "hello") request.hello = message.value;
    if (message.case === "fixes") request.fixes = message.value;
  }
  return toBinary(PublishBatchRequestSchema, request);
}

function batchJson(messages: PublishRequest[]): unknown {
  const parts = messages.map((message) => JSON.parse(toJsonString(PublishRequestSchema, message)));
  return Object.assign({}, ...parts);
}

function metadataOf(token: string | undefined): Metadata {
  const metadata = new Metadata();
  if (token) metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}

/** What the server says; a status of the library itself shows as its name, so that a test sees it is not ours. */
function codeOf(error: ServiceError): string {
  return error.metadata.get(CODE_TRAILER)[0]?.toString() ?? `gRPC status ${error.code}: ${error.details}`;
}

function httpCalls(
  gateway: TestGateway,
  token: string | undefined,
  contentType: string,
  write: (messages: PublishRequest[]) => Raw,
): Calls {
  const agent = new Agent({ keepAlive: true });
  const headers = { "content-type": contentType, ...(token && { authorization: `Bearer ${token}` }) };
  const read = (status: number, body: Buffer) => {
    if (status !== 200 && status !== 202)
      return problem((JSON.parse(body.toString()) as { code: string }).code);
    if (contentType !== "application/json") return ackOf(body);
    return ackMessage(fromJsonString(PublishBatchResponseSchema, body.toString()).ack);
  };
  return {
    close: () => agent.destroy(),
    call: (body) =>
      new Promise((resolve) => {
        const options = { agent, method: "POST", headers };
        const call = request(`http://${gateway.httpAddress}/v1/fixes`, options, (response) => {
          const parts: Buffer[] = [];
          response.on("data", (part: Buffer) => parts.push(part));
          response.on("end", () => resolve(read(response.statusCode ?? 0, Buffer.concat(parts))));
        });
        // A body over the limit may be cut off while it is still being sent.
        call.on("error", () => resolve(problem("CUT_OFF")));
        call.end(isRaw(body) ? body : write(body));
      }),
  };
}

function ackOf(bytes: Uint8Array): Answer {
  return ackMessage(fromBinary(PublishBatchResponseSchema, bytes).ack);
}

function ackMessage(ack: Extract<Answer, { case: "ack" }>["value"] | undefined): Answer {
  return ack ? { case: "ack", value: ack } : { case: undefined };
}

function problem(code: string): Answer {
  return create(PublishResponseSchema, { message: { case: "problem", value: { code } } }).message;
}
