import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import type { Problem } from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { Trip } from "../../internal/core/trip.ts";
import type { Driver } from "./driver.ts";
import { GOTHENBURG, startRig } from "./driver-rig.ts";
import type { DriverAssignment } from "./driver-state.ts";
import { memoryStore } from "./stores/memory-store.ts";
import { websocketTransport } from "./transports/websocket.ts";

const PATIENCE = { timeout: 20_000 };
const SOON = { connectTimeoutMs: 2_000, heartbeatMs: 400, answerTimeoutMs: 400 };

let stack = new AsyncDisposableStack();
afterEach(async () => {
  const over = stack;
  stack = new AsyncDisposableStack();
  await over.disposeAsync();
});

const reasonIs = (driver: Driver, reason: string) =>
  vi.waitFor(() => expect(driver.state.connection.reason).toBe(reason), PATIENCE);
const allSettled = (driver: Driver) => vi.waitFor(() => expect(driver.state.unsent).toBe(0), PATIENCE);

test("of two phones the older one stops, says so, hands in what it has, and drives again only when told to", async () => {
  const { line, driver: start, logged } = await startRig(stack);
  const first = await start("dana");
  await reasonIs(first, "connected");
  line.set("cut");
  await vi.waitFor(() => expect(first.state.connection.transport).toBeUndefined(), PATIENCE);
  const old = [first.record(GOTHENBURG), first.record(GOTHENBURG)].map(
    (fix) => `${first.sessionId}/${fix!.seq}`,
  );
  first.setOnline(false);
  line.set("open");
  const second = await start("dana");
  await reasonIs(second, "connected");
  first.setOnline(true);
  await vi.waitFor(() => expect(first.state.superseded).toBeDefined(), PATIENCE);
  await reasonIs(first, "superseded");
  expect(first.record(GOTHENBURG)).toBeUndefined();
  expect(first.offer(GOTHENBURG)).toBe(false);
  await allSettled(first);
  expect((await logged("dana")).toSorted()).toEqual(old.toSorted());
  expect(second.state.superseded).toBeUndefined();

  expect(first.takeOver()).toBe(true);
  await reasonIs(first, "connected");
  await reasonIs(second, "superseded");
  const fix = first.record(GOTHENBURG)!;
  await allSettled(first);
  expect(await logged("dana")).toContain(`${first.sessionId}/${fix.seq}`);
  expect(old).not.toContain(`${first.sessionId}/${fix.seq}`);
});

test("a token that ends soon is replaced on the stream, which goes on", async () => {
  const { gateway, line, driver: start } = await startRig(stack, { limits: { tokenRefreshAheadMs: 60_000 } });
  let tokens = 0;
  const driver = await start("dana", {
    token: () => {
      tokens++;
      return gateway.token("driver", "dana", 600_000);
    },
  });
  await reasonIs(driver, "connected");
  gateway.clock.shiftMs += 550_000;
  await vi.waitFor(() => expect(tokens).toBe(2), PATIENCE);
  driver.record(GOTHENBURG);
  await allSettled(driver);
  gateway.clock.shiftMs += 300_000;
  driver.record(GOTHENBURG);
  await allSettled(driver);
  expect(line.connections).toBe(1);
});

test("a token that ended is replaced, and the driver comes back by itself", async () => {
  const { gateway, driver: start } = await startRig(stack);
  let ttlMs = 2_000;
  const driver = await start("dana", {
    // The first is one that nobody can refresh in time: its successor is not to be had while it lasts.
    token: async () => {
      const token = await gateway.token("driver", "dana", ttlMs);
      if (ttlMs === 2_000) ttlMs = 0;
      else if (ttlMs === 0) {
        ttlMs = 600_000;
        throw new Error("no token now");
      }
      return token;
    },
  });
  await reasonIs(driver, "connected");
  gateway.clock.shiftMs += 5_000;
  driver.record(GOTHENBURG);
  await allSettled(driver);
  expect(driver.state).toMatchObject({ settled: 1, refused: 0 });
});

test("a gateway that drains is left within its time, and nothing is lost on the way", async () => {
  const going = await startRig(stack);
  const staying = await startRig(stack);
  let target = going;
  const driver = await going.driver("dana", {
    token: () => target.gateway.token("driver", "dana"),
    transportsTo: () => [websocketTransport(`http://${target.line.address}`)],
  });
  await reasonIs(driver, "connected");
  for (let i = 0; i < 50; i++) driver.record(GOTHENBURG);
  target = staying;
  const drained = going.gateway.ingest.drain({ reconnectWithinMs: 1_000, forceAfterMs: 20_000 });
  for (let i = 0; i < 50; i++) driver.record(GOTHENBURG);
  // Nobody had to be thrown out.
  await drained;
  await vi.waitFor(() => expect(staying.line.connections).toBeGreaterThan(0), PATIENCE);
  driver.record(GOTHENBURG);
  await allSettled(driver);
  expect(new Set([...(await going.logged("dana")), ...(await staying.logged("dana"))]).size).toBe(101);
  expect(driver.state.settled).toBe(101);
});

test("fixes beyond the rate stay and go out when there is room again", async () => {
  const { driver: start, logged } = await startRig(stack, {
    limits: { maxFixesPerSecondPerSession: 20, maxFixBurstPerSession: 10 },
  });
  const driver = await start("dana");
  driver.setOnline(false);
  for (let i = 0; i < 60; i++) driver.record(GOTHENBURG);
  driver.setOnline(true);
  await vi.waitFor(() => expect(driver.state.settled).toBeGreaterThan(5), PATIENCE);
  expect(driver.state.unsent).toBeGreaterThan(0);
  await allSettled(driver);
  expect(driver.state).toMatchObject({ settled: 60, refused: 0, dropped: 0 });
  expect((await logged("dana")).length).toBe(60);
});

test("fixes that lie on a gateway's disk stay until the log has them", async () => {
  const { gateway, driver: start, logged } = await startRig(stack, { spool: true });
  const driver = await start("dana");
  await reasonIs(driver, "connected");
  gateway.log.failure = "LOG_UNAVAILABLE";
  driver.record(GOTHENBURG);
  await vi.waitFor(
    async () => expect(await gateway.metric("bimride_ingest_fixes_total", { verdict: "BUFFERED" })).toBe(1),
    PATIENCE,
  );
  expect(driver.state.unsent).toBe(1);
  gateway.log.failure = undefined;
  await allSettled(driver);
  expect((await logged("dana")).length).toBe(1);
});

test("verdicts that are withheld because the log is away come when it is back", async () => {
  const { gateway, driver: start, logged } = await startRig(stack);
  const problems: Problem[] = [];
  const driver = await start("dana", { onProblem: (problem) => problems.push(problem) });
  await reasonIs(driver, "connected");
  gateway.log.failure = "LOG_UNAVAILABLE";
  driver.record(GOTHENBURG);
  await vi.waitFor(() => expect(problems.map(({ code }) => code)).toContain("LOG_UNAVAILABLE"), PATIENCE);
  expect(driver.state.unsent).toBe(1);
  gateway.log.failure = undefined;
  await allSettled(driver);
  expect((await logged("dana")).length).toBe(1);
});

test("what is refused for good is told with its reason, and goes out no more", async () => {
  const { driver: start } = await startRig(stack);
  const refused: [number, string, string][] = [];
  const driver = await start("dana", {
    onRefused: ({ seq }, reason, field) => refused.push([seq, reason, field]),
  });
  const fix = driver.record({ ...GOTHENBURG, latDeg: 91 })!;
  driver.record(GOTHENBURG);
  await allSettled(driver);
  expect(refused).toEqual([[fix.seq, "POSITION_INVALID", "position.latitude_deg"]]);
  expect(driver.state).toMatchObject({ settled: 2, refused: 1 });
});

test("a connection that died without a word is noticed, and an idle one is kept", async () => {
  const { line, driver: start } = await startRig(stack);
  const driver = await start("dana", { times: SOON });
  await reasonIs(driver, "connected");
  driver.record(GOTHENBURG);
  await allSettled(driver);
  // Idle for several heartbeats: these are answered, and stored nowhere.
  await new Promise((resolve) => setTimeout(resolve, 5 * SOON.heartbeatMs));
  expect(line.connections).toBe(1);
  line.set("mute");
  await vi.waitFor(() => expect(driver.state.connection.transport).toBeUndefined(), PATIENCE);
  line.set("open");
  await reasonIs(driver, "connected");
});

test("the trip is told once per version, and what the driver does on it survives a cut", async () => {
  const { gateway, line, driver: start } = await startRig(stack);
  const told: DriverAssignment[] = [];
  const driver = await start("dana", { onAssignment: (assignment) => told.push(assignment) });
  await reasonIs(driver, "connected");
  gateway.trips.byDriver.set("dana", tripOf("dana"));
  gateway.bus.notify({
    partyKey: "driver/dana",
    kind: "assignmentChanged",
    tripId: "test-1",
    tripVersion: 1,
  });
  await vi.waitFor(() => expect(driver.state.assignment?.trip).toBeDefined(), PATIENCE);
  await vi.waitFor(() => expect(driver.state.wantedRate.reason).toBe("OFFERED"), PATIENCE);
  const { tripId } = driver.state.assignment!.trip!;
  expect(await driver.act("accept")).toEqual({ code: "", message: "", retryable: false });

  line.set("cut");
  await vi.waitFor(() => expect(driver.state.connection.transport).toBeUndefined(), PATIENCE);
  const arriving = driver.act("arrive");
  line.set("open");
  expect(await arriving).toMatchObject({ code: "" });
  expect(gateway.trips.acts).toEqual([
    { driverId: "dana", tripId, action: "accept", waypointIndex: undefined },
    { driverId: "dana", tripId, action: "arrive", waypointIndex: 0 },
  ]);
  gateway.trips.actFailure = "TRANSITION_ILLEGAL";
  expect(await driver.act("complete")).toMatchObject({ code: "TRANSITION_ILLEGAL", retryable: false });
  const versions = told.map(({ version }) => version);
  expect(versions).toEqual([...new Set(versions)].toSorted());
});

test("where a WebSocket does not get through fixes go in batches, and when it does again the driver climbs back", async () => {
  const { gateway, driver: start, logged } = await startRig(stack);
  let isBlocked = true;
  const proxy = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const headers = {
        authorization: request.headers.authorization!,
        "content-type": request.headers["content-type"]!,
      };
      void fetch(`http://${gateway.httpAddress}${request.url}`, {
        method: "POST",
        headers,
        body: Buffer.concat(chunks),
      }).then(async (answer) =>
        response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer())),
      );
    });
  });
  proxy.on("upgrade", (_request, socket) => socket.end("HTTP/1.1 403 Forbidden\r\n\r\n"));
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  stack.defer(() => void proxy.close());
  stack.defer(() => proxy.closeAllConnections());
  const driver = await start("dana", {
    baseUrl: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    openSocket: (url, protocols) =>
      new WebSocket(isBlocked ? url : `ws://${gateway.httpAddress}/v1/ingest`, protocols) as never,
  });
  for (let i = 0; i < 5; i++) driver.record(GOTHENBURG);
  await allSettled(driver);
  expect(driver.state.connection).toMatchObject({ transport: "http", reason: "fallback" });
  isBlocked = false;
  driver.wake();
  await reasonIs(driver, "connected");
  driver.record(GOTHENBURG);
  await allSettled(driver);
  expect((await logged("dana")).length).toBe(6);
});

test("a full buffer gets coarser, says so, and keeps the newest", async () => {
  const { line, driver: start } = await startRig(stack);
  line.set("cut");
  let dropped = 0;
  const store = memoryStore();
  const driver = await start("dana", {
    store,
    maxFixes: 100,
    onDropped: (count) => {
      dropped += count;
    },
  });
  for (let i = 0; i < 400; i++) driver.record(GOTHENBURG);
  expect(driver.state.unsent).toBeLessThanOrEqual(100);
  expect(driver.state.dropped).toBe(400 - driver.state.unsent);
  expect(dropped).toBe(driver.state.dropped);
  await driver.stop();
  const { fixes } = await store.load();
  expect(fixes.length).toBe(400 - dropped);
  expect(fixes.map(({ fix }) => fix.seq)).toEqual(expect.arrayContaining([0, 398, 399]));
});

function tripOf(driverId: string): Trip {
  const place = { latDeg: 57.7, lonDeg: 11.9 };
  const nowMs = Date.now();
  return {
    ...{
      tripId: "test-01arz3ndektsv4rrffq69g5fav",
      region: "test",
      type: "exclusive",
      version: 1,
      generation: 1,
    },
    ...{ status: "NEW", statusSource: "explicit", statusAtMs: nowMs, waypointIndex: 0 },
    ...{
      riderIds: ["rider-1"],
      sharingRiderIds: [],
      driverId,
      plannedPath: [place],
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
    },
    waypoints: [
      { kind: "pickup", position: place, riderId: "", label: "" },
      { kind: "dropoff", position: place, riderId: "", label: "" },
    ],
    ...{ assignments: [{ driverId, fromMs: nowMs, toMs: 0 }], endedAtMs: 0, cancelReason: "" },
  };
}
