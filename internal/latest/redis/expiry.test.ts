import { describe, expect, test } from "vitest";
import { startRedis } from "../../../test/kit/engines/redis.ts";
import { startRedisCluster } from "../../../test/kit/engines/redis-cluster.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import type { Latest } from "../latest.ts";
import { car, flush, live } from "../test-data.ts";
import { keysOf, startRedisHarness, TEST_LIMITS } from "./kit.ts";

const HOUR_MS = 3_600_000;

/** Uses everything that writes. */
async function exercise(latest: Latest, clock: VirtualClock): Promise<void> {
  const parties = Array.from({ length: 300 }, (_, i) => car(`c${i}`, { latDeg: 50 + i / 10 }));
  const ended = { tripId: "se1-00000000000000000000000001", dropAtMs: 9_000_000 };
  await latest.update(
    flush({ parties, trips: [live(1), live(2, ended)], removed: ["driver/c7", "driver/no"] }),
  );
  const moved = parties.map((party) => ({ ...party, seq: 2, lonDeg: party.lonDeg + 1 }));
  await latest.update(flush({ partition: 1, parties: moved, trips: [live(3)] }));
  await latest.update(flush({ partitionEpoch: 9, parties }));
  clock.advanceTo(clock.now() + 5_000);
  await latest.sweep(0, clock.now());
  await latest.update(flush({ partition: 2, removed: ["driver/c9"] }));
  await latest.nearby(57.7, 11.97, 1_000, 10);
}

describe("every key has an expiry, after everything was used", () => {
  test("on one server", async () => {
    await using server = await startRedis();
    await using redis = await startRedisHarness([server.address]);
    const clock = new VirtualClock(1_000);
    await using latest = await redis.open(clock);
    await exercise(latest, clock);
    const keys = await keysOf(server.address);
    expect(keys.length).toBeGreaterThan(100);
    expect(keys.filter(({ ttlMs }) => ttlMs < 0)).toEqual([]);
    const mostMs = Math.max(...keys.map(({ ttlMs }) => ttlMs));
    expect(mostMs).toBeLessThanOrEqual(TEST_LIMITS.partyIdleMs + 2 * HOUR_MS);
  });

  test("on each node of a cluster, which all have some", async () => {
    await using cluster = await startRedisCluster(3);
    await using redis = await startRedisHarness(cluster.addresses, true);
    const clock = new VirtualClock(1_000);
    await using latest = await redis.open(clock);
    await exercise(latest, clock);
    const keys = await Promise.all(cluster.addresses.map(keysOf));
    expect(keys.flat().length).toBeGreaterThan(100);
    expect(keys.flat().filter(({ ttlMs }) => ttlMs < 0)).toEqual([]);
    expect(keys.filter((some) => some.length > 0).length).toBeGreaterThan(1);
  });
});

test("a trip's keys are gone when its live access is over", async () => {
  await using server = await startRedis();
  await using redis = await startRedisHarness([server.address]);
  await using latest = await redis.open(new VirtualClock(1_000));
  await latest.update(flush({ trips: [live(1, { dropAtMs: 61_000 })] }));
  const trip = (await keysOf(server.address)).find(({ key }) => key.includes(":trip:"));
  expect(trip?.ttlMs).toBeGreaterThan(50_000);
  expect(trip?.ttlMs).toBeLessThanOrEqual(60_000);
});

test("who stays in a cell renews its expiry once an hour, so that it outlives everybody in it", async () => {
  await using server = await startRedis();
  await using redis = await startRedisHarness([server.address]);
  await using latest = await redis.open(new VirtualClock(1_000));
  const cellOf = async () => (await keysOf(server.address)).find(({ key }) => key.includes(":cell:"))!;
  await latest.update(flush({ parties: [car("a", { receivedAtMs: HOUR_MS })] }));
  const { key, ttlMs } = await cellOf();
  await redis.link.command("PEXPIRE", key, 1_000_000);
  for (const [seq, receivedAtMs] of [HOUR_MS + 1_000, 2 * HOUR_MS - 1].entries())
    await latest.update(flush({ parties: [car("a", { seq: 2 + seq, receivedAtMs })] }));
  expect((await cellOf()).ttlMs).toBeLessThanOrEqual(1_000_000);
  await latest.update(flush({ parties: [car("a", { seq: 9, receivedAtMs: 2 * HOUR_MS })] }));
  expect((await cellOf()).ttlMs).toBeGreaterThan(ttlMs - 60_000);
});
