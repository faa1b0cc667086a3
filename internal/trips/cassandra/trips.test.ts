import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../core/time.ts";
import { isRunning, type Trip } from "../../core/trip.ts";
import { canceled, elsewhere, REGIONS, trip } from "../test-trips.ts";
import type { Trips } from "../trips.ts";
import { intercepted, lost, tripsKeyspace } from "./kit.ts";
import { openCassandraTrips } from "./trips.ts";

let space: Awaited<ReturnType<typeof tripsKeyspace>>;
beforeAll(async () => {
  space = await tripsKeyspace();
});
afterAll(() => space[Symbol.asyncDispose]());

/** Numbers as a seed gives them, the same for ever. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe("the trips on Cassandra", () => {
  test("several processes at once never book a driver twice, lose no change and store each version once", {
    timeout: 240_000,
  }, async () => {
    const stored = new Map<string, Trip>();
    const run = async (trips: Trips, seed: number) => {
      const random = numbers(seed);
      for (let step = 0; step < 30; step++) {
        const id = trip(1 + random(6)).tripId;
        const driverId = ["", "d1", "d2", "d3"][random(4)]!;
        const now = await trips.get(id);
        const next =
          now === undefined
            ? { ...trip(1, driverId), tripId: id }
            : isRunning(now) && random(8) > 0
              ? { ...now, version: now.version + 1, driverId, cancelReason: `${seed} ${step}` }
              : // A new trip in its place, so that drivers keep changing hands.
                { ...trip(1, driverId), tripId: id, version: now.version + 1 };
        const result = await trips.put(next);
        if (!result.stored) continue;
        expect(stored.has(`${id} ${next.version}`)).toBe(false);
        stored.set(`${id} ${next.version}`, next);
      }
    };
    const instances = await Promise.all([1, 2, 3, 4].map(() => space.open({ holdGraceMs: 200 })));
    await Promise.all(instances.map((trips, i) => run(trips, 1 + i)));
    await using trips = await space.open();
    const pending = await trips.pending(REGIONS, 10_000);
    expect(new Map(pending.map((one) => [`${one.trip.tripId} ${one.trip.version}`, one.trip]))).toEqual(
      stored,
    );
    const running = [];
    for (let number = 1; number <= 6; number++) {
      const now = await trips.get(trip(number).tripId);
      if (now?.driverId) running.push(now.driverId);
      if (now?.driverId) expect(await trips.runningOf(now.driverId)).toEqual(now);
    }
    expect(new Set(running).size).toBe(running.length);
    expect(stored.size).toBeGreaterThan(20);
  });

  test("a trip that runs stays; one that ended leaves as a whole after the retention, but for what is not in the log", {
    timeout: 60_000,
  }, async () => {
    await space.empty();
    await using trips = await space.open({ retentionMs: 3_000 });
    await trips.put(trip(1, "d1", ["r1"]));
    await trips.put(trip(2, "d2", ["r2"]));
    await trips.put(canceled(trip(2, "d2", ["r2"])));
    for (const version of [1, 2]) await trips.published(trip(2).tripId, version);
    const [row] = await space.rows(
      `SELECT TTL(body) AS body, TTL(version) AS version, TTL(fence) AS fence FROM trips WHERE trip_id = '${trip(1).tripId}'`,
    );
    expect(row).toMatchObject({ body: null, version: null, fence: null });
    await vi.waitFor(async () => expect(await trips.get(trip(2).tripId)).toBeUndefined(), 15_000);
    await vi.waitFor(async () => {
      expect(await space.rows("SELECT trip_id FROM trips")).toHaveLength(1);
      expect(await space.rows("SELECT trip_id FROM trips_by_rider")).toHaveLength(1);
      expect(await space.rows("SELECT trip_id FROM trips_by_driver")).toHaveLength(1);
      expect(await space.rows("SELECT trip_id FROM trips_by_hour")).toHaveLength(1);
    }, 15_000);
    expect((await trips.list({}, 9, "")).map(({ tripId }) => tripId)).toEqual([trip(1).tripId]);

    await trips.put(canceled(trip(1, "d1", ["r1"])));
    await vi.waitFor(async () => expect(await trips.get(trip(1).tripId)).toBeUndefined(), 15_000);
    expect((await trips.pending(REGIONS, 9)).map((one) => one.trip.version)).toEqual([1, 2]);
    for (const version of [1, 2]) await trips.published(trip(1).tripId, version);
    expect(await space.rows("SELECT trip_id FROM trips")).toEqual([]);
  });

  test("a key is kept for more than 24 h", async () => {
    await space.empty();
    await using trips = await space.open();
    await trips.put(trip(1), { key: "k", digest: "abc", nowMs: 1 });
    const [row] = await space.rows("SELECT TTL(trip_id) AS ttl FROM trip_of_key");
    expect(row!.ttl).toBeGreaterThan(47 * 3_600);
  });

  test("what was published is not read over again for ever", async () => {
    await space.empty();
    let lateMs = 0;
    const clock = {
      ...systemClock,
      now: () => Date.now() + lateMs,
      monotonic: () => performance.now() + lateMs,
    };
    const reads: string[] = [];
    const link = intercepted(space.link, (_, run, cql) => {
      if (cql.startsWith("SELECT")) reads.push(cql);
      return run();
    });
    await using trips = await openCassandraTrips({ link, clock, retentionMs: 86_400_000 });
    for (let number = 1; number <= 10; number++) {
      await trips.put(trip(number));
      await trips.published(trip(number).tripId, 1);
    }
    expect(await trips.pending(REGIONS, 10)).toEqual([]);
    expect(await space.rows("SELECT bucket FROM trip_buckets WHERE kind = 'outbox'")).not.toEqual([]);
    lateMs = 300_000;
    expect(await trips.pending(REGIONS, 10)).toEqual([]);
    expect(await space.rows("SELECT bucket FROM trip_buckets WHERE kind = 'outbox'")).toEqual([]);
    reads.length = 0;
    lateMs += 10_000;
    expect(await trips.pending(REGIONS, 10)).toEqual([]);
    expect(reads).toEqual([expect.stringContaining("trip_buckets")]);
  });

  test("what waits in other regions is not looked up, and not read over again each time", async () => {
    await space.empty();
    const reads: string[] = [];
    const link = intercepted(space.link, (_, run, cql) => {
      if (cql.startsWith("SELECT")) reads.push(cql);
      return run();
    });
    await using trips = await openCassandraTrips({ link, retentionMs: 86_400_000 });
    for (let number = 1; number <= 20; number++) await trips.put(elsewhere(trip(number)));
    reads.length = 0;
    expect(await trips.pending(["se1"], 10)).toEqual([]);
    expect(reads.filter((cql) => !/FROM trip_(buckets|outbox)/.test(cql))).toEqual([]);
    reads.length = 0;
    expect(await trips.pending(["se1"], 10)).toEqual([]);
    expect(reads).toEqual([]);
    expect(await trips.pending(["no1"], 100)).toHaveLength(20);
  });

  test("changes that could not be read are read when they are asked for next", async () => {
    await space.empty();
    let refused = "";
    const link = intercepted(space.link, (_, run, cql) =>
      refused && cql.includes(refused) ? Promise.reject(lost()) : run(),
    );
    await using trips = await openCassandraTrips({ link, retentionMs: 86_400_000 });
    await trips.put(trip(1));
    refused = "FROM trip_outbox";
    await expect(trips.pending(REGIONS, 10)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    refused = "";
    expect(await trips.pending(REGIONS, 10)).toHaveLength(1);
  });
});
