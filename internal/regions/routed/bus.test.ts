import { expect, test } from "vitest";
import { BimrideError } from "../../core/errors.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import type { LiveBus, PartyMessage } from "../../live/bus.ts";
import { liveBusContract } from "../../live/contract.ts";
import { ChangeMaker } from "../../live/kit.ts";
import { MemoryBus } from "../../live/memory/memory-bus.ts";
import { routedBus } from "./bus.ts";
import { breakable } from "./test-engines.ts";

const WEST_TRIP = "no1-0000000000000000000000000a";
const EAST_TRIP = "se1-0000000000000000000000000b";

liveBusContract("a router over the buses of two regions", async () => {
  let errors = 0;
  const open = () => new MemoryBus(() => errors++);
  const bus = routedBus(
    new Map([
      ["no1", open()],
      ["se1", open()],
    ]),
  );
  return { bus, settled: async () => {}, listenerErrors: () => errors };
});

function scene() {
  const clock = new VirtualClock(0);
  const fail = (error: unknown) => {
    throw error;
  };
  const gone = new BimrideError("STORE_UNAVAILABLE");
  const west = breakable<LiveBus>(new MemoryBus(fail), gone);
  const east = breakable<LiveBus>(new MemoryBus(fail), gone);
  const failures: unknown[] = [];
  const router = routedBus(
    new Map([
      ["no1", west.engine],
      ["se1", east.engine],
    ]),
    { ioClock: clock, onRegionFailed: (error) => failures.push(error) },
  );
  return { clock, west, east, router, failures };
}

const changed = (tripVersion: number): PartyMessage => ({
  ...{ partyKey: "driver/d1", kind: "assignmentChanged", tripId: WEST_TRIP, tripVersion },
});

test("a trip's changes travel on its region's bus only", async () => {
  const { west, east, router } = scene();
  const heard: string[] = [];
  for (const tripId of [WEST_TRIP, EAST_TRIP]) {
    await west.engine.subscribe(tripId, () => heard.push(`west ${tripId}`));
    await east.engine.subscribe(tripId, () => heard.push(`east ${tripId}`));
    await router.subscribe(tripId, () => heard.push(`router ${tripId}`));
    router.publish(new ChangeMaker(tripId).begin());
  }
  expect(heard).toEqual([
    ...[`west ${WEST_TRIP}`, `router ${WEST_TRIP}`],
    ...[`east ${EAST_TRIP}`, `router ${EAST_TRIP}`],
  ]);
});

test("a message to a party is heard once, by whichever bus it comes, and again when it is said again", async () => {
  const { west, east, router } = scene();
  const heard: PartyMessage[] = [];
  await router.listen("driver/d1", (message) => heard.push(message));
  router.notify(changed(1));
  expect(heard).toEqual([changed(1)]);
  router.notify(changed(1));
  expect(heard).toEqual([changed(1), changed(1)]);
  // A gateway that reaches one region only.
  west.engine.notify(changed(2));
  east.engine.notify(changed(3));
  expect(heard.slice(2)).toEqual([changed(2), changed(3)]);
});

test("the messages of a party that hears very many are not remembered for ever", async () => {
  const { router } = scene();
  let heard = 0;
  await router.listen("driver/d1", () => heard++);
  for (let version = 1; version <= 1_000; version++) router.notify(changed(version));
  expect(heard).toBe(1_000);
});

test.each(["refusing", "silent"] as const)(
  "a party is listened to while a region's bus is %s",
  async (trouble) => {
    const { clock, west, router, failures } = scene();
    west.trouble = trouble;
    const heard: PartyMessage[] = [];
    const standing = router.listen("driver/d1", (message) => heard.push(message));
    await new Promise((resolve) => setImmediate(resolve)); // the other has answered
    clock.advanceTo(1_000);
    using _subscription = await standing;
    expect(failures).toMatchObject([{ code: "STORE_UNAVAILABLE" }]);
    router.notify(changed(1));
    expect(heard).toEqual([changed(1)]);
  },
);

test("a bus that refused is listened to once it takes it, unless nobody wants to hear any more", async () => {
  const { clock, west, router } = scene();
  west.trouble = "refusing";
  const heard: PartyMessage[] = [];
  const subscription = await router.listen("driver/d1", (message) => heard.push(message));
  west.trouble = undefined;
  clock.advanceTo(clock.now() + 5_000);
  west.engine.notify(changed(1));
  await expect.poll(() => heard).toEqual([changed(1)]);
  subscription[Symbol.dispose]();
  router.notify(changed(2));
  expect(heard).toHaveLength(1);

  west.trouble = "refusing";
  const short = await router.listen("driver/d2", (message) => heard.push(message));
  short[Symbol.dispose]();
  west.trouble = undefined;
  clock.advanceTo(clock.now() + 60_000);
  router.notify({ ...changed(3), partyKey: "driver/d2" });
  expect(heard).toHaveLength(1);
});

test("when no region's bus can be listened to the caller is told", async () => {
  const { west, east, router } = scene();
  for (const link of [west, east]) link.trouble = "refusing";
  await expect(router.listen("driver/d1", () => {})).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});
