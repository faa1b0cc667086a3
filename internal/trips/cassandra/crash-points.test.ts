import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { isRunning, type Trip } from "../../core/trip.ts";
import { canceled, REGIONS, trip } from "../test-trips.ts";
import type { IdempotencyClaim, Trips } from "../trips.ts";
import { intercepted, lost, tripsKeyspace } from "./kit.ts";
import { openCassandraTrips } from "./trips.ts";

/** Beyond what any put needs. */
const MAX_STATEMENTS = 60;
const GRACE_MS = 30;

let space: Awaited<ReturnType<typeof tripsKeyspace>>;
beforeAll(async () => {
  space = await tripsKeyspace();
});
afterAll(() => space[Symbol.asyncDispose]());

/** One who comes after the crash and waits for nobody for long. */
const survivor = () => space.open({ holdGraceMs: GRACE_MS, orphanAfterMs: 0 });

/** A put to be cut off, and what stands before it. Ids are of the number, so that no two cases meet. */
type Case = { before: Trip[]; change: Trip; claim?: IdempotencyClaim };

const CASES: Readonly<Record<string, (n: number) => Case>> = {
  "creating a trip": (n) => ({
    before: [],
    change: trip(n, `d${n}`, [`r${n}`]),
    claim: { key: `k${n}`, digest: "abc", nowMs: 1 },
  }),
  "changing driver and riders": (n) => ({
    before: [trip(n, `d${n}`, [`r${n}`])],
    change: { ...trip(n, `e${n}`, [`s${n}`]), version: 2 },
  }),
  "changing the status": (n) => ({
    before: [trip(n, `d${n}`, [`r${n}`])],
    change: { ...trip(n, `d${n}`, [`r${n}`]), version: 2, status: "ENROUTE_TO_PICKUP" },
  }),
  "ending a trip": (n) => {
    const created = trip(n, `d${n}`, [`r${n}`]);
    return { before: [created], change: canceled(created) };
  },
};

/** All that must hold once a put was cut off or answered: the store says one thing, and nobody is stuck. */
async function checkWhole(trips: Trips, { before, change, claim }: Case, n: number): Promise<boolean> {
  const { tripId } = change;
  const now = await trips.get(tripId);
  const previous = before.at(-1);
  expect([change, previous]).toContainEqual(now);
  const isStored = now?.version === change.version;

  const stored = isStored ? [...before, change] : before;
  // What another instance stored may be listed a moment later.
  await vi.waitFor(
    async () => {
      const pending = (await trips.pending(REGIONS, 1_000)).filter((one) => one.trip.tripId === tripId);
      expect(pending).toEqual(stored.map((one, i) => ({ trip: one, previous: stored[i - 1] })));
    },
    { timeout: 10_000, interval: 100 },
  );

  for (const [index, driverId] of [`d${n}`, `e${n}`].entries()) {
    const holds = now !== undefined && isRunning(now) && now.driverId === driverId;
    expect(await trips.runningOf(driverId)).toEqual(holds ? now : undefined);
    expect(await trips.put(trip(100_000 * (index + 1) + n, driverId, []))).toEqual(
      holds ? { stored: false, reason: "driverBusy" } : { stored: true },
    );
  }
  for (const riderId of [`r${n}`, `s${n}`])
    expect(await trips.list({ riderId }, 9, "")).toEqual(now?.riderIds.includes(riderId) ? [now] : []);
  if (claim)
    expect(await trips.put(trip(300_000 + n, ""), claim)).toEqual(
      isStored ? { stored: false, reason: "idempotency", tripId, digest: "abc" } : { stored: true },
    );
  return isStored;
}

/** Takes everything that is pending to the log, so to say; nothing may be left then but what is true. */
async function publishAll(trips: Trips): Promise<void> {
  for (const { trip: one } of await trips.pending(REGIONS, 10_000))
    await trips.published(one.tripId, one.version);
  expect(await trips.pending(REGIONS, 10)).toEqual([]);
  expect(await space.rows("SELECT attempt FROM trip_outbox")).toEqual([]);
  for (const { name, trip_id } of await space.rows("SELECT name, trip_id FROM trip_of_driver")) {
    const holder = await trips.get(trip_id);
    expect([name, holder && isRunning(holder) && holder.driverId]).toEqual([name, name]);
  }
  for (const [column, table] of [
    ["rider_id", "trips_by_rider"],
    ["driver_id", "trips_by_driver"],
  ] as const) {
    const query = `SELECT ${column} AS owner, trip_id, TTL(ended) AS ttl FROM ${table}`;
    for (const { owner, trip_id, ttl } of await space.rows(query)) {
      const found = (await trips.get(trip_id))!;
      const isOn = found.riderIds.includes(owner) || found.driverId === owner;
      expect([owner, trip_id, ttl !== null]).toEqual([owner, trip_id, !(isRunning(found) && isOn)]);
    }
  }
}

describe("whatever statement of a put is the last", () => {
  test.each(Object.entries(CASES))(
    "%s is done or not, and nobody is stuck",
    { timeout: 240_000 },
    async (name, make) => {
      await using trips = await survivor();
      let storedAt = Number.POSITIVE_INFINITY;
      for (let n = 0, isCut = true; isCut; n++) {
        expect(n).toBeLessThan(MAX_STATEMENTS);
        const id = n + 1_000 * (1 + Object.keys(CASES).indexOf(name));
        const one = make(id);
        for (const earlier of one.before) await trips.put(earlier);
        isCut = false;
        const link = intercepted(space.link, async (at, run) => {
          if (at < n) return run();
          isCut = true;
          throw lost();
        });
        const dying = await openCassandraTrips({ link, retentionMs: 86_400_000, holdGraceMs: GRACE_MS });
        const result = await dying.put(one.change, one.claim).catch(() => undefined);
        const isStored = await checkWhole(trips, one, id);
        if (result) expect([n, result]).toEqual([n, { stored: isStored }]);
        if (isStored) storedAt = Math.min(storedAt, n);
        // What is stored once so many statements were sent is stored also when more were.
        expect([n, isStored]).toEqual([n, n >= storedAt]);
      }
      expect(storedAt).toBeLessThan(MAX_STATEMENTS);
      await publishAll(trips);
    },
  );
});

describe("whatever answer does not come", () => {
  test.each(
    Object.entries(CASES).flatMap(([name, make]) =>
      [true, false].map((isSent) => [name, isSent ? "was carried out" : "was not", make, isSent] as const),
    ),
  )(
    "%s tells the truth or nothing when the statement %s",
    { timeout: 240_000 },
    async (name, _, make, isSent) => {
      await using trips = await survivor();
      for (let n = 0, isHit = true; isHit; n++) {
        expect(n).toBeLessThan(MAX_STATEMENTS);
        const id = n + 10_000 * (1 + Object.keys(CASES).indexOf(name)) + (isSent ? 0 : 5_000);
        const one = make(id);
        for (const earlier of one.before) await trips.put(earlier);
        isHit = false;
        const link = intercepted(space.link, async (at, run) => {
          if (at !== n) return run();
          isHit = true;
          if (isSent) await run();
          throw lost();
        });
        const unlucky = await openCassandraTrips({ link, retentionMs: 86_400_000, holdGraceMs: GRACE_MS });
        const result = await unlucky.put(one.change, one.claim).catch((error: unknown) => error);
        if (result instanceof Error) expect([n, result]).toMatchObject([n, { code: "STORE_UNAVAILABLE" }]);
        else expect([n, result]).toEqual([n, { stored: true }]);
        const isStored = await checkWhole(trips, one, id);
        if (!(result instanceof Error)) expect([n, isStored]).toEqual([n, true]);
      }
      await publishAll(trips);
    },
  );
});

describe("a put that comes late", () => {
  /** An instance whose next COMMIT waits until it is let go. */
  async function hesitant() {
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    const { promise: letGo, resolve: go } = Promise.withResolvers<void>();
    let isFirst = true;
    const link = intercepted(space.link, async (_, run, cql) => {
      if (!cql.startsWith("UPDATE trips USING TTL ? SET version") || !isFirst) return run();
      isFirst = false;
      reach();
      await letGo;
      return run();
    });
    return {
      trips: await openCassandraTrips({ link, retentionMs: 86_400_000, holdGraceMs: GRACE_MS }),
      reached,
      go,
    };
  }

  test("does not get a driver who was given to another trip meanwhile", async () => {
    await using trips = await survivor();
    const late = await hesitant();
    const result = late.trips.put(trip(900_001, "shy"));
    await late.reached;
    expect(await trips.put(trip(900_002, "shy"))).toEqual({ stored: true });
    late.go();
    expect(await result).toEqual({ stored: false, reason: "driverBusy" });
    expect(await trips.get(trip(900_001).tripId)).toBeUndefined();
    expect((await trips.runningOf("shy"))?.tripId).toBe(trip(900_002).tripId);
  });

  test("does not get a key that was used meanwhile", async () => {
    await using trips = await survivor();
    const late = await hesitant();
    const claim = { key: "late", digest: "abc", nowMs: 1 };
    const result = late.trips.put(trip(900_011), claim);
    await late.reached;
    expect(await trips.put(trip(900_012), claim)).toEqual({ stored: true });
    late.go();
    const tripId = trip(900_012).tripId;
    expect(await result).toEqual({ stored: false, reason: "idempotency", tripId, digest: "abc" });
  });

  test("is not stored without an outbox row when that was taken for left over", async () => {
    await using trips = await survivor();
    const late = await hesitant();
    const result = late.trips.put(trip(900_021));
    await late.reached;
    const ids = async () => (await trips.pending(REGIONS, 1_000)).map((one) => one.trip.tripId);
    expect(await ids()).not.toContain(trip(900_021).tripId);
    late.go();
    expect(await result).toEqual({ stored: true });
    expect(await ids()).toContain(trip(900_021).tripId);
    expect(await trips.list({ driverId: "d900021" }, 9, "")).toHaveLength(1);
  });
});
