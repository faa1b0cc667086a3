import { describe, expect, test } from "vitest";
import { startRedis } from "../../../test/kit/engines/redis.ts";
import { startRedisCluster } from "../../../test/kit/engines/redis-cluster.ts";
import { systemClock } from "../../core/time.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import type { Latest } from "../latest.ts";
import { car, FULL_LIVE, flush, live, TRIP } from "../test-data.ts";
import { emptyServer, marksOn, startRedisHarness, TEST_LIMITS } from "./kit.ts";

/** Counts what the latest state says it lost. */
function lossesOf(latest: Latest): () => number {
  let losses = 0;
  latest.onLost(() => losses++);
  return () => losses;
}

const inASecond = { timeout: 1_500, interval: 10 };

/** Waits until Redis was asked twice more whether it still has what was written. */
async function untilAskedTwice(addresses: readonly string[]): Promise<void> {
  const said = async () => (await Promise.all(addresses.map(marksOn))).flat();
  const before = await said();
  expect(before).not.toEqual([]);
  const isAsked = async () => (await said()).some((mark, i) => mark >= before[i]! + 2);
  await expect.poll(isAsked, { timeout: 10_000 }).toBe(true);
}

describe("what Redis lost is told", () => {
  test("within a second when nothing is written, once", async () => {
    await using server = await startRedis();
    await using redis = await startRedisHarness([server.address]);
    await using latest = await redis.open(systemClock);
    const losses = lossesOf(latest);
    await latest.update(flush({ parties: [car("a")] }));
    await emptyServer(server.address);
    await expect.poll(losses, inASecond).toBe(1);
    await latest.update(flush({ parties: [car("a")] }));
    await untilAskedTwice([server.address]);
    expect(losses()).toBe(1);
    expect(await latest.party("driver/a")).toEqual(car("a"));
  });

  test("by the next write, which has the trip whole again", async () => {
    await using server = await startRedis();
    await using redis = await startRedisHarness([server.address]);
    await using latest = await redis.open(systemClock);
    const losses = lossesOf(latest);
    await latest.update(flush({ trips: [FULL_LIVE] }));
    await emptyServer(server.address);
    const later = { ...FULL_LIVE, version: { generation: 1, sequence: 9, index: 0 } };
    await latest.update(flush({ trips: [later] }));
    expect(losses()).toBe(1);
    expect(await latest.trip(TRIP)).toEqual(later);
  });

  test("not to who wrote nothing, and not when another process writes or ends", async () => {
    await using server = await startRedis();
    await using redis = await startRedisHarness([server.address]);
    await using reader = await redis.open(systemClock, "se1");
    await using writer = await redis.open(systemClock, "se1");
    const losses = [lossesOf(reader), lossesOf(writer)];
    await writer.update(flush({ parties: [car("a")] }));
    const other = await redis.open(systemClock, "se1");
    await other.update(flush({ partition: 4, parties: [car("b")] }));
    await other[Symbol.asyncDispose]();
    await untilAskedTwice([server.address]);
    expect(losses.map((count) => count())).toEqual([0, 0]);
    await emptyServer(server.address);
    await expect.poll(() => losses.map((count) => count()), inASecond).toEqual([0, 1]);
  });

  test("after a restart with nothing, and not after one that kept everything", async () => {
    for (const [keeps, args] of [
      [false, ["--appendonly", "no"]],
      [true, []],
    ] as const) {
      await using server = await startRedis({ args });
      await using redis = await startRedisHarness([server.address]);
      await using latest = await redis.open(systemClock);
      const losses = lossesOf(latest);
      await latest.update(flush({ parties: [car("a")], trips: [live(1)] }));
      await server.kill("SIGKILL");
      await server.start();
      await expect.poll(() => redis.link.ready, { timeout: 10_000 }).toBe(true);
      if (keeps) await untilAskedTwice([server.address]);
      else await expect.poll(losses, inASecond).toBe(1);
      expect(losses()).toBe(keeps ? 0 : 1);
      expect(await latest.party("driver/a")).toEqual(keeps ? car("a") : undefined);
    }
  });

  test("also of one node of a cluster", async () => {
    await using cluster = await startRedisCluster(3);
    await using redis = await startRedisHarness(cluster.addresses, true);
    await using latest = await redis.open(systemClock);
    const losses = lossesOf(latest);
    const parties = Array.from({ length: 50 }, (_, i) => car(`c${i}`));
    await latest.update(flush({ parties }));
    await untilAskedTwice(cluster.addresses);
    expect(losses()).toBe(0);
    for (const address of cluster.addresses) await emptyServer(address);
    await expect.poll(losses, inASecond).toBeGreaterThan(0);
    await latest.update(flush({ parties }));
    expect(await latest.nearby(57.7, 11.97, 100, 100)).toHaveLength(50);
  });
});

describe("when something was lost is known to all", () => {
  test("from the first who writes or asks after it, until all from before it has left by age", async () => {
    await using server = await startRedis();
    await using redis = await startRedisHarness([server.address]);
    const clock = new VirtualClock(1_000);
    await using writer = await redis.open(clock, "se1");
    await using reader = await redis.open(clock, "se1");
    const first = [
      () => writer.update(flush({ parties: [car("a")] })),
      () => writer.update(flush({ trips: [live(1)] })),
      () => writer.intactSince(TRIP),
      async () => (await redis.open(clock, "se1"))[Symbol.asyncDispose](),
    ];
    for (const [i, comesFirst] of first.entries()) {
      await emptyServer(server.address);
      const atMs = 10_000 * (i + 1);
      clock.advanceTo(atMs);
      await comesFirst();
      clock.advanceTo(atMs + 5_000);
      await writer.update(flush({ parties: [car("b")], trips: [live(2)] }));
      expect(await reader.intactSince(TRIP)).toBe(atMs);
    }
    clock.advanceTo(clock.now() + TEST_LIMITS.partyIdleMs);
    expect(await reader.intactSince(TRIP)).toBe(40_000);
    clock.advanceTo(clock.now() + 2 * 3_600_000);
    expect(await reader.intactSince(TRIP)).toBe(0);
  });

  test("also where one node of a cluster lost it", async () => {
    await using cluster = await startRedisCluster(3);
    await using redis = await startRedisHarness(cluster.addresses, true);
    const clock = new VirtualClock(1_000);
    await using latest = await redis.open(clock);
    clock.advanceTo(9_000);
    const ids = Array.from({ length: 40 }, (_, i) => `se1-${String(i).padStart(26, "0")}`);
    const since = async () => new Set(await Promise.all(ids.map((id) => latest.intactSince(id))));
    expect(await since()).toEqual(new Set([1_000]));
    await emptyServer(cluster.addresses[0]!);
    expect(await since()).toEqual(new Set([1_000, 9_000]));
  });
});
