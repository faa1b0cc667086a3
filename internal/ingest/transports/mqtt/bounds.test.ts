import { connect as connectTcp } from "node:net";
import { expect, test, vi } from "vitest";
import type { ErrorCode } from "../../../core/errors.ts";
import { startTestGateway, type TestGateway } from "../kit.ts";
import { connectPacket, rawMqtt, subscribePacket } from "./kit.ts";
import { publishPacket } from "./packets.ts";

const PATIENCE = { timeout: 20_000 };
const PINGREQ = Buffer.from([0xc0, 0]);

const problems = (gateway: TestGateway, code: ErrorCode) =>
  gateway.metric("bimride_ingest_problems_total", { code, transport: "mqtt" });

async function expectEnded(gateway: TestGateway, raw: { isClosed: boolean }, code: ErrorCode) {
  await vi.waitFor(() => expect(raw.isClosed).toBe(true), PATIENCE);
  await vi.waitFor(async () => expect(await problems(gateway, code)).toBe(1), PATIENCE);
  await vi.waitFor(() => expect(gateway.ingest.openStreams).toBe(0), PATIENCE);
}

test("a connection without a CONNECT is ended as HELLO_EXPECTED", async () => {
  await using gateway = await startTestGateway({ limits: { helloTimeoutMs: 100 } });
  using raw = await rawMqtt(gateway);
  await expectEnded(gateway, raw, "HELLO_EXPECTED");
});

test.each([
  ["bytes that are no MQTT", Buffer.from("GET / HTTP/1.1\r\nhost: somebody\r\n\r\n")],
  ["a length of more than four bytes", Buffer.alloc(8, 0xff)],
  ["a PINGREQ before the CONNECT", PINGREQ],
])("%s end the connection as MESSAGE_INVALID", async (_name, bytes) => {
  await using gateway = await startTestGateway();
  using raw = await rawMqtt(gateway);
  raw.socket.write(bytes);
  await expectEnded(gateway, raw, "MESSAGE_INVALID");
});

test("a CONNECT larger than any token is refused by its head, before a token is looked at", async () => {
  await using gateway = await startTestGateway();
  using raw = await rawMqtt(gateway);
  raw.socket.write(Buffer.from([0x10, 0x80, 0x80, 0x10]));
  await expectEnded(gateway, raw, "MESSAGE_TOO_LARGE");
});

test("a publish larger than maxMessageBytes is refused by its head", async () => {
  await using gateway = await startTestGateway();
  using raw = await rawMqtt(gateway);
  raw.socket.write(connectPacket({ password: await gateway.token("driver", "driver-1") }));
  await vi.waitFor(() => expect(Buffer.concat(raw.received)).toEqual(Buffer.from([0x20, 2, 0, 0])), PATIENCE);
  raw.socket.write(Buffer.from([0x32, 0x80, 0x80, 0x80, 1]));
  await expectEnded(gateway, raw, "MESSAGE_TOO_LARGE");
});

test("what comes with the CONNECT waits for its answer, a second CONNECT ends the connection", async () => {
  await using gateway = await startTestGateway();
  using raw = await rawMqtt(gateway);
  const hello = connectPacket({ password: await gateway.token("driver", "driver-1") });
  raw.socket.write(Buffer.concat([hello, ...Array.from({ length: 200 }, () => PINGREQ)]));
  await vi.waitFor(() => expect(Buffer.concat(raw.received)).toHaveLength(4 + 200 * 2), PATIENCE);
  raw.socket.write(hello);
  await expectEnded(gateway, raw, "MESSAGE_INVALID");
});

test("a client that takes leave and does not hang up is cut off", async () => {
  await using gateway = await startTestGateway();
  const socket = connectTcp({ host: "127.0.0.1", port: gateway.mqttPort, allowHalfOpen: true });
  const left = Promise.withResolvers<void>();
  socket.on("error", () => {});
  socket.on("end", () => left.resolve());
  socket.resume();
  const hello = connectPacket({ password: await gateway.token("driver", "driver-1") });
  socket.write(hello);
  await vi.waitFor(() => expect(gateway.ingest.openStreams).toBe(1), PATIENCE);
  socket.write(Buffer.from([0xe0, 0]));
  await left.promise;
  await vi.waitFor(() => expect(gateway.ingest.openStreams).toBe(0), PATIENCE);
  // Who writes into a connection that is not there any more learns of it.
  await vi.waitFor(() => {
    socket.write(PINGREQ);
    expect(socket.destroyed).toBe(true);
  }, PATIENCE);
});

test("a client that reads none of its answers is not read either, and ended as CLIENT_TOO_SLOW", async () => {
  await using gateway = await startTestGateway({ mqtt: { unreadTimeoutMs: 300 } });
  using raw = await rawMqtt(gateway);
  raw.socket.pause();
  raw.socket.write(connectPacket({ password: await gateway.token("driver", "driver-1") }));
  raw.socket.write(subscribePacket("v1/driver/driver-1/down"));
  // What is refused at once is answered with a Problem, many times its size.
  const refused = publishPacket(Buffer.from("v1/driver/driver-1/fixes"), Buffer.from("x"));
  const many = Buffer.concat(Array.from({ length: 1_000 }, () => refused));
  const sending = setInterval(() => {
    if (raw.socket.writableLength < 1 << 20) raw.socket.write(many);
  }, 1);
  try {
    await vi.waitFor(async () => expect(await problems(gateway, "CLIENT_TOO_SLOW")).toBe(1), PATIENCE);
  } finally {
    clearInterval(sending);
  }
  await vi.waitFor(() => expect(gateway.ingest.openStreams).toBe(0), PATIENCE);
});
