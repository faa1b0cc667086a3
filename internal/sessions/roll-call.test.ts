import { afterEach, expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import type { PresentSession } from "../live/bus.ts";
import { MemoryBus } from "../live/memory/memory-bus.ts";
import { routedBus } from "../regions/routed/bus.ts";
import { RollCall } from "./roll-call.ts";

const onError = (error: unknown) => {
  throw error;
};
const open = new Set<Disposable>();
afterEach(() => {
  for (const each of open) each[Symbol.dispose]();
  open.clear();
});

function presentOf(sessionId: string, openedAtMs: number): PresentSession {
  return {
    ...{
      kind: "publishing",
      sessionId,
      signInId: "in-1",
      deviceId: "phone",
      appVersion: "1",
      transport: "grpc",
    },
    ...{ openedAtMs, lastHeardAtMs: openedAtMs, expiresAtMs: openedAtMs + 1_000 },
    ...{ standing: "behind", sessionEpoch: 7 },
  };
}

/** Nodes of one deployment on one bus; each believes that all of them live. */
function nodes(nodeIds: readonly string[], bus = new MemoryBus(onError), limits = {}) {
  const clock = new VirtualClock(0);
  let asked = 0;
  const calls = nodeIds.map((nodeId) => {
    const rollCall = new RollCall({
      ...{ bus, nodeId, ioClock: clock, limits: { ...DEFAULT_LIMITS, ...limits }, onUnheard: onError },
      liveNodes: () => nodeIds,
      newId: () => `ask-${++asked}`,
    });
    open.add(rollCall);
    return rollCall;
  });
  return { clock, calls };
}

test("a user's sessions on all nodes are told newest first, without waiting once every node has answered", async () => {
  const { calls } = nodes(["n1", "n2", "n3"]);
  const [one, two, three] = calls as [RollCall, RollCall, RollCall];
  one.answerFor((user) => (user === "driver/d1" ? [presentOf("session-1", 1)] : []));
  two.answerFor(() => []);
  three.answerFor((user) => (user === "driver/d1" ? [presentOf("session-3", 3)] : []));
  three.answerFor((user) => (user === "driver/d1" ? [presentOf("session-2", 2)] : []));
  // The clock stands still: who waited would wait for ever.
  const { sessions, complete } = await two.sessionsOf("driver/d1");
  expect(sessions).toEqual([presentOf("session-3", 3), presentOf("session-2", 2), presentOf("session-1", 1)]);
  expect(complete).toBe(true);
  expect(await one.sessionsOf("rider/d1")).toEqual({ sessions: [], complete: true });
});

test("who does not answer in time is missing, and that is said", async () => {
  const { clock, calls } = nodes(["n1", "n2"]);
  calls[0]!.answerFor(() => [presentOf("session-1", 1)]);
  const asked = calls[0]!.sessionsOf("driver/d1");
  await Promise.resolve();
  clock.advanceTo(DEFAULT_LIMITS.rollCallMs);
  expect(await asked).toEqual({ sessions: [presentOf("session-1", 1)], complete: false });
});

test("of more sessions than fit into a list the newest are told", async () => {
  const { calls } = nodes(["n1"], undefined, { maxListedSessions: 2 });
  calls[0]!.answerFor(() => [3, 1, 4, 2].map((at) => presentOf(`session-${at}`, at)));
  const { sessions } = await calls[0]!.sessionsOf("driver/d1");
  expect(sessions.map(({ sessionId }) => sessionId)).toEqual(["session-4", "session-3"]);
});

test("over the buses of several regions every session is told once", async () => {
  const buses = new Map([
    ["no1", new MemoryBus(onError)],
    ["se1", new MemoryBus(onError)],
  ]);
  const { calls } = nodes(["n1", "n2"], routedBus(buses) as MemoryBus);
  for (const call of calls) call.answerFor(() => [presentOf("session-1", 1)]);
  const { sessions, complete } = await calls[1]!.sessionsOf("driver/d1");
  expect(sessions).toHaveLength(2);
  expect(complete).toBe(true);
});
