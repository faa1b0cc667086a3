import { createHash } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { TokenRefreshSchema } from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import {
  WatchTripsRequestSchema,
  WatchTripsResponseSchema,
} from "../../../gen/bimride/tracking/v1/live_pb.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import { tripOf } from "../../live/kit.ts";
import { someTripId, startTestEdge, type TestEdge, type TestEdgeOptions } from "../kit.ts";
import { JSON_SUBPROTOCOL, PROTOBUF_SUBPROTOCOL } from "./subprotocol.ts";

const START_MS = 1_700_000_000_000;
const TRIP = someTripId(1);
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing[Symbol.asyncDispose]();
});

async function edge(options: TestEdgeOptions = {}): Promise<TestEdge> {
  const test = await startTestEdge(new Map(), options);
  open.push(test);
  return test;
}

/** A client that keeps what it got. */
function connect(test: TestEdge, protocols: string[], headers: Record<string, string> = {}) {
  const socket = new WebSocket(`${test.url.replace("http", "ws")}/v1/live`, protocols, { headers });
  const frames: (string | Buffer)[] = [];
  let close: string | undefined;
  const opened = new Promise<void>((resolve, reject) => {
    socket.on("open", resolve);
    socket.on("error", reject);
  });
  opened.catch(() => {});
  socket.on("message", (data, isBinary) => frames.push(isBinary ? (data as Buffer) : String(data)));
  socket.on("close", (code, reason) => {
    close = `${code} ${reason}`;
  });
  open.push({ [Symbol.asyncDispose]: async () => socket.terminate() });
  return { socket, opened, frames, closed: () => expect.poll(() => close) };
}

const json = (frames: (string | Buffer)[]) => frames.map((frame) => JSON.parse(String(frame)));

describe("/v1/live", () => {
  it("watches in JSON with the token among the subprotocols, as a browser must, and never echoes it", async () => {
    const test = await edge();
    const car = await test.start(tripOf(TRIP));
    const token = await test.token("rider", "r1");
    const client = connect(test, [JSON_SUBPROTOCOL, `bimride.token.${token}`]);
    await client.opened;
    expect(client.socket.protocol).toBe(JSON_SUBPROTOCOL);
    client.socket.send(JSON.stringify({ targets: [{ tripId: TRIP }] }));
    await expect.poll(() => client.frames.length).toBe(2);
    await car.move(Date.now());
    await expect.poll(() => client.frames.length).toBe(3);
    const [started, snapshot, update] = json(client.frames);
    expect(started.started.watchId).not.toBe("");
    expect(snapshot.snapshot.trip.tripId).toBe(TRIP);
    expect(update.update).toMatchObject({ tripId: TRIP, version: { generation: 1, sequence: "2" } });
    expect(test.logs.join("")).not.toContain(token);
  });

  it("watches in protobuf with the token in the Authorization header", async () => {
    const test = await edge();
    await test.start(tripOf(TRIP));
    const client = connect(test, [PROTOBUF_SUBPROTOCOL], {
      authorization: `Bearer ${await test.token("ops", "o")}`,
    });
    await client.opened;
    const request = create(WatchTripsRequestSchema, {
      targets: [{ tripId: TRIP }, { tripId: someTripId(2) }],
    });
    client.socket.send(toBinary(WatchTripsRequestSchema, request));
    await expect.poll(() => client.frames.length).toBe(3);
    const cases = client.frames.map(
      (frame) => fromBinary(WatchTripsResponseSchema, frame as Buffer).message.case,
    );
    expect(cases.sort()).toEqual(["snapshot", "started", "unavailable"]);
  });

  it("closes with the documented code and reason for every kind of bad start", async () => {
    const test = await edge();
    const token = await test.token("rider", "r1");
    const auth = { authorization: `Bearer ${token}` };
    const expired = { authorization: `Bearer ${await test.token("rider", "r1", -5_000)}` };
    const cases: [string, Record<string, string>, string | undefined, string][] = [
      [JSON_SUBPROTOCOL, {}, undefined, "4401 TOKEN_MISSING"],
      [JSON_SUBPROTOCOL, { authorization: "Bearer x.y.z" }, undefined, "4401 TOKEN_INVALID"],
      [JSON_SUBPROTOCOL, expired, undefined, "4401 TOKEN_EXPIRED"],
      [JSON_SUBPROTOCOL, auth, "garbage", "4400 MESSAGE_INVALID"],
      [JSON_SUBPROTOCOL, auth, "[]", "4400 MESSAGE_INVALID"],
      [JSON_SUBPROTOCOL, auth, "{}", "4400 FIELD_INVALID"],
      [PROTOBUF_SUBPROTOCOL, auth, "\xff\xff\xff", "4400 MESSAGE_INVALID"],
      [JSON_SUBPROTOCOL, auth, JSON.stringify({ targets: Array(21).fill({}) }), "4400 WATCH_TOO_MANY_TRIPS"],
      [JSON_SUBPROTOCOL, auth, JSON.stringify({ targets: [{ tripId: "nope" }] }), "1000 "],
    ];
    for (const [protocol, headers, message, end] of cases) {
      const client = connect(test, [protocol], headers);
      await client.opened;
      if (message !== undefined) client.socket.send(message);
      await client.closed().toBe(end);
    }
    const bare = connect(test, [], auth);
    await bare.opened;
    await bare.closed().toBe("4400 MESSAGE_INVALID");
    const big = connect(test, [JSON_SUBPROTOCOL], auth);
    await big.opened;
    big.socket.send("x".repeat((1 << 20) + 1));
    await big.closed().toMatch(/^1009/);
  });

  it("gives up on a client that never says what it wants", async () => {
    const clock = new VirtualClock(START_MS);
    const test = await edge({ clock });
    const client = connect(test, [JSON_SUBPROTOCOL], {
      authorization: `Bearer ${await test.token("rider", "r1")}`,
    });
    await client.opened;
    await expect
      .poll(() => {
        clock.advanceTo(clock.now() + 1_000);
        return client.socket.readyState;
      })
      .not.toBe(WebSocket.OPEN);
    await client.closed().toBe("4504 IDLE_TIMEOUT");
  });

  it("goes on past the token's expiry when a fresh token came in time, and ends when a foreign one did", async () => {
    const clock = new VirtualClock(START_MS);
    const test = await edge({ clock });
    await test.start(tripOf(TRIP));
    const headers = { authorization: `Bearer ${await test.token("rider", "r1", 10_000)}` };
    const client = connect(test, [PROTOBUF_SUBPROTOCOL], headers);
    await client.opened;
    const request = create(WatchTripsRequestSchema, { targets: [{ tripId: TRIP }] });
    client.socket.send(toBinary(WatchTripsRequestSchema, request));
    await expect.poll(() => client.frames.length).toBe(2);
    const refresh = async (subject: string) =>
      toBinary(
        TokenRefreshSchema,
        create(TokenRefreshSchema, { token: await test.token("rider", subject, 60_000) }),
      );
    client.socket.send(await refresh("r1"));
    await expect.poll(() => test.registry.metrics()).toContain("bimride_edge_refreshes_total 1");
    clock.advanceTo(START_MS + 20_000);
    await expect.poll(() => client.frames.length).toBe(3);
    client.socket.send(await refresh("r2"));
    await client.closed().toBe("4404 NOT_FOUND");
  });

  it("ends with TOKEN_EXPIRED when none came, and with DRAINING when the server goes away", async () => {
    const clock = new VirtualClock(START_MS);
    const test = await edge({ clock });
    await test.start(tripOf(TRIP));
    const watch = async (ttlMs: number) => {
      const headers = { authorization: `Bearer ${await test.token("rider", "r1", ttlMs)}` };
      const client = connect(test, [JSON_SUBPROTOCOL], headers);
      await client.opened;
      client.socket.send(JSON.stringify({ targets: [{ tripId: TRIP }] }));
      await expect.poll(() => client.frames.length).toBe(2);
      return client;
    };
    const [short, long] = [await watch(10_000), await watch(3_600_000)];
    clock.advanceTo(START_MS + 10_000);
    await short.closed().toBe("4401 TOKEN_EXPIRED");
    await test.edge[Symbol.asyncDispose]();
    await long.closed().toBe("4503 DRAINING");
  });

  it("survives thousands of garbage messages and serves the next client", async () => {
    const test = await edge();
    await test.start(tripOf(TRIP));
    const headers = { authorization: `Bearer ${await test.token("rider", "r1")}` };
    for (let i = 0; i < 400; i++) {
      const client = connect(test, [i % 2 ? JSON_SUBPROTOCOL : PROTOBUF_SUBPROTOCOL], headers);
      await client.opened;
      const closed = new Promise<number>((resolve) => client.socket.once("close", resolve));
      for (let j = 0; j < 5; j++) client.socket.send(garbage(i * 5 + j), { binary: i % 3 === 0 });
      expect([1000, 1007, 4400, 4401, 4404]).toContain(await closed);
    }
    expect(await test.registry.metrics()).toContain('bimride_edge_failures_total{code="INTERNAL"} 0');
    expect(await test.registry.metrics()).toContain('bimride_edge_watches{kind="trips"} 0');
  });
});

/** Bytes that are no request for a trip; the same for the same number. */
function garbage(seed: number): Buffer {
  return createHash("sha512")
    .update(String(seed))
    .digest()
    .subarray(0, 1 + (seed % 40));
}
