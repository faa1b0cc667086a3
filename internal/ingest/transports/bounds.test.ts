import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { toBinary } from "@bufbuild/protobuf";
import { afterEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { PublishRequestSchema } from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { ErrorCode } from "../../core/errors.ts";
import {
  grpcTransport,
  httpJsonTransport,
  refusedAs,
  webSocketJsonTransport,
  webSocketProtobufTransport,
} from "./clients.ts";
import { fixesMessage, goodFix, helloMessage, nth } from "./conformance-rig.ts";
import { startTestGateway, type TestGateway } from "./kit.ts";
import { mqttJsonTransport, mqttProtobufTransport } from "./mqtt-clients.ts";

const STREAMS = [
  ...[grpcTransport, webSocketProtobufTransport, webSocketJsonTransport],
  ...[mqttJsonTransport, mqttProtobufTransport],
];
const PATIENCE = { timeout: 20_000 };
const disposals: (() => unknown)[] = [];

afterEach(async () => {
  for (const dispose of disposals.splice(0).reverse()) await dispose();
});

async function start(...options: Parameters<typeof startTestGateway>): Promise<TestGateway> {
  const gateway = await startTestGateway(...options);
  disposals.push(() => gateway[Symbol.asyncDispose]());
  return gateway;
}

const counted = (gateway: TestGateway, code: ErrorCode) => () =>
  gateway.metric("bimride_ingest_problems_total", { code });

test.each(STREAMS.filter(({ deviations }) => !deviations?.needsNoHello))(
  "$name: a stream without a Hello is ended",
  async (transport) => {
    const gateway = await start({ limits: { helloTimeoutMs: 100 } });
    const mute = transport.connect(gateway, await gateway.token("driver", "driver-1"));
    await vi.waitFor(() => expect(mute.ended).toBe("HELLO_EXPECTED"), PATIENCE);
    expect(gateway.ingest.openStreams).toBe(0);
  },
);

test.each(STREAMS)("$name: a stream that falls silent is ended", async (transport) => {
  const gateway = await start({ limits: { ingestIdleTimeoutMs: 1_500 } });
  const silent = transport.connect(gateway, await gateway.token("driver", "driver-2"));
  silent.send(helloMessage("session-1"));
  await vi.waitFor(() => expect(silent.ended).toBe("IDLE_TIMEOUT"), PATIENCE);
  expect(gateway.ingest.openStreams).toBe(0);
});

test.each(STREAMS)(
  "$name: more streams than the gateway may have are refused as OVERLOADED",
  async (transport) => {
    const gateway = await start({ limits: { maxIngestStreams: 1 } });
    const first = transport.connect(gateway, await gateway.token("driver", "driver-1"));
    first.send(helloMessage("session-1"));
    await nth(first, "welcome");
    const second = transport.connect(gateway, await gateway.token("driver", "driver-2"));
    await vi.waitFor(() => expect(second.ended).toBe(refusedAs(transport, "OVERLOADED")), PATIENCE);
    first.close();
    await vi.waitFor(() => expect(gateway.ingest.openStreams).toBe(0), PATIENCE);
  },
);

test.each(STREAMS)(
  "$name: too many control messages are dropped with RATE_LIMITED, fixes go on",
  async (transport) => {
    const gateway = await start({ limits: { maxControlBurst: 2, maxControlMessagesPerSecond: 0.001 } });
    const client = transport.connect(gateway, await gateway.token("driver", "driver-1"));
    for (let i = 0; i < 3; i++) client.send(helloMessage("session-1"));
    expect(await nth(client, "problem")).toMatchObject({ code: "RATE_LIMITED", retryable: true });
    client.send(fixesMessage([goodFix(0)]));
    await nth(client, "ack");
    client.close();
  },
);

test.each(STREAMS)("$name: fixes beyond what may wait for the log are RATE_LIMITED", async (transport) => {
  const gateway = await start({ limits: { maxPendingFixesPerSession: 3 } });
  const client = transport.connect(gateway, await gateway.token("driver", "driver-1"));
  client.send(helloMessage("session-1"));
  await nth(client, "welcome");
  client.send(fixesMessage([0, 1, 2, 3, 4].map((seq) => goodFix(seq))));
  const ack = await nth(client, "ack");
  expect(ack.verdicts.map(({ code }) => code)).toEqual([1, 1, 1, 6, 6]);
  expect(ack.retryAfterMs).toBeGreaterThan(0);
  client.close();
});

test.each(STREAMS)(
  "$name: a drain tells the client, ends the stream after the bound, and loses no answer",
  async (transport) => {
    const gateway = await start();
    const client = transport.connect(gateway, await gateway.token("driver", "driver-1"));
    client.send(helloMessage("session-1"));
    await nth(client, "welcome");
    client.send(fixesMessage([goodFix(0)]));
    await nth(client, "ack");
    await gateway.ingest.drain({ reconnectWithinMs: 1_234, forceAfterMs: 50 });
    expect(await nth(client, "drain")).toMatchObject({ reconnectWithinMs: 1_234 });
    await vi.waitFor(() => expect(client.ended).toBe("DRAINING"), PATIENCE);
    const late = transport.connect(gateway, await gateway.token("driver", "driver-1"));
    await vi.waitFor(() => expect(late.ended).toBe(refusedAs(transport, "DRAINING")), PATIENCE);
    const call = httpJsonTransport.connect(gateway, await gateway.token("driver", "driver-1"));
    call.send(helloMessage("session-1"));
    call.send(fixesMessage([goodFix(1)]));
    expect((await nth(call, "problem")).code).toBe("DRAINING");
  },
);

test("gRPC: a client that ends its side gets its acks and a normal end", async () => {
  const gateway = await start();
  const client = grpcTransport.connect(gateway, await gateway.token("rider", "rider-1"));
  client.send(helloMessage("session-1"));
  for (let seq = 0; seq < 50; seq++) client.send(fixesMessage([goodFix(seq)], seq));
  client.finish();
  await vi.waitFor(() => expect(client.ended).toBe(""), PATIENCE);
  expect(client.answers.filter((answer) => answer.case === "ack")).toHaveLength(50);
});

/** A gRPC frame of one message. */
function grpcFrame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
}

test("gRPC: a client that never reads its answers is ended with CLIENT_TOO_SLOW and cut off", async () => {
  const gateway = await start({ limits: { maxUnreadAnswerBytes: 20_000 } });
  const session = connectHttp2(`http://127.0.0.1:${gateway.grpcPort}`, {
    settings: { initialWindowSize: 1_000 },
  });
  disposals.push(() => session.destroy());
  const stream = session.request({
    ...{ ":method": "POST", ":path": "/bimride.tracking.v1.IngestService/Publish" },
    ...{ "content-type": "application/grpc", te: "trailers" },
    authorization: `Bearer ${await gateway.token("driver", "driver-1")}`,
  });
  stream.on("error", () => {});
  stream.pause();
  stream.write(grpcFrame(toBinary(PublishRequestSchema, helloMessage("session-1"))));
  let seq = 0;
  const sending = setInterval(() => {
    const fixes = Array.from({ length: 200 }, () => goodFix(seq++));
    if (!stream.closed) stream.write(grpcFrame(toBinary(PublishRequestSchema, fixesMessage(fixes))));
  }, 5);
  disposals.push(() => clearInterval(sending));
  await vi.waitFor(async () => expect(await counted(gateway, "CLIENT_TOO_SLOW")()).toBe(1), PATIENCE);
  clearInterval(sending);
  stream.resume();
  await vi.waitFor(() => expect(stream.closed).toBe(true), PATIENCE);
  expect(gateway.ingest.openStreams).toBe(0);
});

test("WebSocket: a client that never reads its answers is ended with CLIENT_TOO_SLOW", async () => {
  const gateway = await start({ limits: { maxUnreadAnswerBytes: 20_000 } });
  const socket = new WebSocket(`ws://${gateway.httpAddress}/v1/ingest`, "bimride.v1.json", {
    headers: { authorization: `Bearer ${await gateway.token("driver", "driver-1")}` },
  });
  disposals.push(() => socket.terminate());
  socket.on("error", () => {});
  await once(socket, "open");
  socket.pause();
  // Garbage that is refused at once: an answer for every few bytes.
  const sending = setInterval(() => {
    for (let i = 0; i < 500 && socket.readyState === WebSocket.OPEN; i++) socket.send("x");
  }, 1);
  disposals.push(() => clearInterval(sending));
  await vi.waitFor(async () => expect(await counted(gateway, "CLIENT_TOO_SLOW")()).toBe(1), PATIENCE);
  expect(gateway.ingest.openStreams).toBe(0);
});

/** Passes bytes both ways until it is told to hold them, without closing anything: a connection gone half-open. */
async function startTunnel(toPort: number): Promise<{ port: number; hold: () => void }> {
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = connectTcp(toPort, "127.0.0.1");
    for (const socket of [near, far]) socket.on("error", () => {});
    near.pipe(far);
    far.pipe(near);
    sockets.push(near, far);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  disposals.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return {
    port,
    hold() {
      for (const socket of sockets) {
        socket.unpipe();
        socket.pause();
      }
    },
  };
}

test("gRPC: a half-open client is found by keepalive and its session closed", async () => {
  const gateway = await start({ grpc: { keepaliveTimeMs: 200, keepaliveTimeoutMs: 200 } });
  const tunnel = await startTunnel(gateway.grpcPort);
  const token = await gateway.token("driver", "driver-1");
  const client = grpcTransport.connect({ ...gateway, grpcPort: tunnel.port }, token);
  disposals.push(() => client.close());
  client.send(helloMessage("session-1"));
  await nth(client, "welcome");
  tunnel.hold();
  await vi.waitFor(() => expect(gateway.ingest.openStreams).toBe(0), PATIENCE);
});

test("WebSocket: a half-open client is found by ping and its session closed", async () => {
  const gateway = await start({ pingPeriodMs: 200 });
  const tunnel = await startTunnel(Number(gateway.httpAddress.split(":")[1]));
  const httpAddress = `127.0.0.1:${tunnel.port}`;
  const token = await gateway.token("driver", "driver-1");
  const client = webSocketProtobufTransport.connect({ ...gateway, httpAddress }, token);
  disposals.push(() => client.close());
  client.send(helloMessage("session-1"));
  await nth(client, "welcome");
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(client.ended, "a client that answers pings stays").toBeUndefined();
  tunnel.hold();
  await vi.waitFor(() => expect(gateway.ingest.openStreams).toBe(0), PATIENCE);
});

test("WebSocket: bytes that are no frames close the socket as MESSAGE_INVALID, without harm to others", async () => {
  const gateway = await start();
  const other = webSocketJsonTransport.connect(gateway, await gateway.token("driver", "driver-2"));
  other.send(helloMessage("session-1"));
  await nth(other, "welcome");
  const socket = new WebSocket(`ws://${gateway.httpAddress}/v1/ingest`, "bimride.v1.json", {
    headers: { authorization: `Bearer ${await gateway.token("driver", "driver-1")}` },
  });
  socket.on("error", () => {});
  let raw: Socket | undefined;
  socket.on("upgrade", (response) => {
    raw = response.socket;
  });
  await once(socket, "open");
  raw?.write(Buffer.alloc(64, 0xff));
  await once(socket, "close");
  await vi.waitFor(async () => expect(await counted(gateway, "MESSAGE_INVALID")()).toBe(1), PATIENCE);
  other.send(fixesMessage([goodFix(0)]));
  await nth(other, "ack");
  other.close();
});

test("WebSocket: without a subprotocol that we speak the socket is closed as MESSAGE_INVALID", async () => {
  const gateway = await start();
  const socket = new WebSocket(`ws://${gateway.httpAddress}/v1/ingest`, {
    headers: { authorization: `Bearer ${await gateway.token("driver", "driver-1")}` },
  });
  const [code, reason] = await once(socket, "close");
  expect([code, String(reason)]).toEqual([4400, "MESSAGE_INVALID"]);
});

test("HTTP: errors come as {code, message, field, retryable} with their status", async () => {
  const gateway = await start();
  const url = `http://${gateway.httpAddress}/v1/fixes`;
  const authorization = `Bearer ${await gateway.token("driver", "driver-1")}`;
  const post = (contentType: string, body: BodyInit, headers: Record<string, string> = { authorization }) =>
    fetch(url, { method: "POST", headers: { "content-type": contentType, ...headers }, body });
  const missing = await post("application/json", "{}", {});
  expect(missing.status).toBe(401);
  expect(missing.headers.get("www-authenticate")).toBe("Bearer");
  const malformed = await post("application/json", "{");
  expect(malformed.status).toBe(400);
  expect(await malformed.json()).toEqual({
    ...{ code: "MESSAGE_INVALID", field: "", retryable: false },
    message: expect.any(String),
  });
  expect((await post("text/plain", "x")).status).toBe(415);
  expect((await post("application/x-protobuf", new Uint8Array(1_100_000))).status).toBe(413);
  const body = JSON.stringify({ hello: { sessionId: "session-1" }, fixes: { fixes: [{ seq: 1 }] } });
  gateway.log.failure = "LOG_FULL";
  const good = { seq: 1, capturedAtMs: String(Date.now()), position: { latitudeDeg: 57, longitudeDeg: 12 } };
  const full = await post(
    "application/json",
    JSON.stringify({ hello: { sessionId: "session-1" }, fixes: { fixes: [good] } }),
  );
  expect([full.status, ((await full.json()) as { code: string }).code]).toEqual([503, "LOG_FULL"]);
  gateway.log.failure = undefined;
  expect((await post("application/json", body)).status).toBe(200);
  expect((await post("application/json", "{}")).status).toBe(400);
});
