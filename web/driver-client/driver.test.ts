import { afterEach, describe, expect, test, vi } from "vitest";
import type { Driver } from "./driver.ts";
import { GOTHENBURG, startRig } from "./driver-rig.ts";
import { grpcTransport } from "./grpc/grpc.ts";
import { memoryStore } from "./stores/memory-store.ts";
import { httpTransport } from "./transports/http.ts";

const PATIENCE = { timeout: 20_000 };

let stack = new AsyncDisposableStack();
afterEach(async () => {
  const over = stack;
  stack = new AsyncDisposableStack();
  await over.disposeAsync();
});

const connected = (driver: Driver) =>
  vi.waitFor(() => expect(driver.state.connection.reason).toBe("connected"), PATIENCE);
const allSettled = (driver: Driver) => vi.waitFor(() => expect(driver.state.unsent).toBe(0), PATIENCE);
const recordMany = (driver: Driver, count: number) =>
  Array.from({ length: count }, () => driver.record(GOTHENBURG)!.seq);

describe.each(["websocket", "grpc", "http"] as const)("a driver over %s", (name) => {
  test("sends what it captures and forgets it once it is durable", async () => {
    const { gateway, driver: start, logged } = await startRig(stack);
    const driver = await start("dana", {
      transportsTo: ({ httpUrl }) =>
        name === "grpc"
          ? [grpcTransport(`127.0.0.1:${gateway.grpcPort}`)]
          : name === "http"
            ? [httpTransport(httpUrl)]
            : [],
      ...(name === "websocket" ? { transportsTo: undefined } : {}),
    });
    recordMany(driver, 5);
    await allSettled(driver);
    expect(driver.state).toMatchObject({
      settled: 5,
      refused: 0,
      connection: { transport: name, reason: "connected" },
    });
    expect((await logged("dana")).toSorted()).toEqual(
      [0, 1, 2, 3, 4].map((seq) => `${driver.sessionId}/${seq}`),
    );
    expect(driver.state.wantedRate).toEqual({ intervalMs: 10_000, accuracy: "balanced", reason: "IDLE" });
  });
});

test("after an outage the newest goes first, then the rest newest to oldest, and each is in the log once", async () => {
  const { line, driver: start, logged } = await startRig(stack);
  const driver = await start("dana");
  await connected(driver);
  recordMany(driver, 3);
  await allSettled(driver);
  line.set("cut");
  await vi.waitFor(() => expect(driver.state.connection.transport).toBeUndefined(), PATIENCE);
  recordMany(driver, 450);
  expect(driver.state.unsent).toBe(450);
  line.set("open");
  await allSettled(driver);
  const seqs = (await logged("dana")).map((name) => Number(name.split("/")[1]));
  expect(seqs.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 453 }, (_, seq) => seq));
  // The first of them was the newest when it was recorded: a connection that is just being made may have it in hand.
  const [first, ...rest] = seqs.slice(3);
  const newestFirst = first === 3 ? [...rest, 3] : [first, ...rest];
  expect(newestFirst).toEqual(Array.from({ length: 450 }, (_, i) => 452 - i));
});

test("a process that starts again goes on with the session and its unsent fixes, and gives no seq twice", async () => {
  const { line, driver: start, logged } = await startRig(stack);
  const store = memoryStore();
  const first = await start("dana", { store });
  await connected(first);
  line.set("cut");
  const before = recordMany(first, 7);
  // Killed: what was written stays, nothing is said any more.
  await first.stop();
  line.set("open");
  const second = await start("dana", { store });
  expect(second.sessionId).toBe(first.sessionId);
  const after = recordMany(second, 3);
  expect(Math.min(...after)).toBeGreaterThan(Math.max(...before));
  await allSettled(second);
  const expected = [...before, ...after].map((seq) => `${first.sessionId}/${seq}`);
  expect((await logged("dana")).toSorted()).toEqual(expected.toSorted());
});

test("a device that was signed out rests until its user begins anew; what the revoked session had left is refused", async () => {
  const refusals: string[] = [];
  const { gateway, line, driver: start, logged } = await startRig(stack);
  const driver = await start("dana", { onRefused: (_fix, reason) => refusals.push(reason) });
  await connected(driver);
  line.set("cut");
  await vi.waitFor(() => expect(driver.state.connection.transport).toBeUndefined(), PATIENCE);
  recordMany(driver, 3);
  const { sessionId } = driver;
  const untilMs = Date.now() + 600_000;
  await gateway.revocations.revoke({ user: "driver/dana", signInId: "", sessionId, untilMs });
  line.set("open");
  await vi.waitFor(() => expect(driver.state.connection.reason).toBe("revoked"), PATIENCE);
  expect(driver.record(GOTHENBURG)).toBeUndefined();

  expect(driver.takeOver()).toBe(true);
  await connected(driver);
  expect(driver.sessionId).not.toBe(sessionId);
  recordMany(driver, 1);
  await allSettled(driver);
  expect(refusals).toEqual(["SESSION_REVOKED", "SESSION_REVOKED", "SESSION_REVOKED"]);
  expect(await logged("dana")).toEqual([`${driver.sessionId}/0`]);
});
