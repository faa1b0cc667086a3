import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { tempFolder } from "../../../test/kit/temp-folder.ts";
import { BimrideError } from "../../core/errors.ts";
import type { Trip } from "../../core/trip.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import { tripsContract } from "../../trips/contract.ts";
import { newTrip } from "../../trips/new-trip.ts";
import { SqliteTrips } from "../../trips/sqlite/sqlite-trips.ts";
import { applyEdit } from "../../trips/state-machine.ts";
import type { Trips } from "../../trips/trips.ts";
import { breakable } from "./test-engines.ts";
import { routedTrips } from "./trips.ts";

const WRITER = fileURLToPath(new URL("../../trips/sqlite/put-until-killed.ts", import.meta.url));
const REGIONS = ["no1", "se1"];
const GONE = { code: "STORE_UNAVAILABLE" };

async function folders(): Promise<(region: string) => string> {
  const folder = await tempFolder();
  onTestFinished(() => folder[Symbol.asyncDispose]());
  return (region) => folder.file(`${region}.sqlite`);
}

tripsContract("a router over the trips of two regions", async () => {
  const file = await folders();
  const open = async (region: string) => [region, await SqliteTrips.open({ path: file(region) })] as const;
  const both = async () => routedTrips(new Map<string, Trips>([await open("no1"), await open("se1")]));
  const trips = await both();
  onTestFinished(() => trips[Symbol.asyncDispose]());
  const reopened = async () => {
    await trips[Symbol.asyncDispose]();
    return both();
  };
  // The trips of the contract are of the second region: a process killed there leaves what the router then finds.
  const writer = () =>
    spawn(process.execPath, [WRITER, file("se1")], { stdio: ["ignore", "pipe", "inherit"] });
  return { trips, reopened, writer };
});

async function scene() {
  const file = await folders();
  const clock = new VirtualClock(0);
  const gone = new BimrideError("STORE_UNAVAILABLE");
  const west = breakable<Trips>(await SqliteTrips.open({ path: file("no1") }), gone);
  const east = breakable<Trips>(await SqliteTrips.open({ path: file("se1") }), gone);
  const one = await SqliteTrips.open({ path: file("one") });
  const failures: unknown[] = [];
  const router = () =>
    routedTrips(
      new Map([
        ["no1", west.engine],
        ["se1", east.engine],
      ]),
      { ioClock: clock, onRegionFailed: (error) => failures.push(error) },
    );
  const trips = router();
  onTestFinished(async () => {
    await trips[Symbol.asyncDispose]();
    await one[Symbol.asyncDispose]();
  });
  return { clock, west, east, one, trips, failures, freshRouter: router };
}

function trip(number: number, region: "no1" | "se1", driverId = `d${number}`, riderIds = ["r1"]): Trip {
  const stop = { position: { latDeg: 57.7, lonDeg: 11.97 }, riderId: "", label: "" };
  const waypoints = [
    { ...stop, kind: "pickup" as const },
    { ...stop, kind: "dropoff" as const },
  ];
  const order = { type: "exclusive" as const, riderIds, driverId, waypoints, plannedPath: [] };
  return newTrip(`${region}-${String(number).padStart(26, "0")}`, region, order, number);
}

function canceled(current: Trip): Trip {
  const result = applyEdit(current, { kind: "cancel", reason: "", atMs: 9_000 });
  if (result.outcome !== "changed") throw new Error("the trip can't be canceled");
  return result.trip;
}

/** Ends waits, until it is told to stop, whenever the engine that is well owes no answer. */
async function endWaits(clock: VirtualClock, well: { underWay: number }, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (well.underWay === 0) clock.advanceTo(clock.now() + 1_000);
  }
}

test("a trip is stored and found where its id says, and one of an unknown region nowhere", async () => {
  const { west, east, trips } = await scene();
  const [own, other] = [trip(1, "no1"), trip(2, "se1")];
  for (const each of [own, other]) expect(await trips.put(each)).toEqual({ stored: true });
  expect(await west.engine.get(own.tripId)).toEqual(own);
  expect(await east.engine.get(own.tripId)).toBeUndefined();
  expect(await trips.get(other.tripId)).toEqual(other);
  expect(await trips.get("dk1-0000000000000000000000000a")).toBeUndefined();
  expect(await trips.get("nonsense")).toBeUndefined();
  expect((await trips.pending(REGIONS, 10)).map(({ trip: { tripId } }) => tripId)).toEqual([
    own.tripId,
    other.tripId,
  ]);
  expect((await trips.pending(["se1"], 10)).map(({ trip: { tripId } }) => tripId)).toEqual([other.tripId]);
  await trips.published(other.tripId, 1);
  expect(await east.engine.pending(REGIONS, 10)).toEqual([]);
});

test("a driver has one running trip, whichever regions the trips are of", async () => {
  const { trips } = await scene();
  await trips.put(trip(1, "no1", "d1"));
  const claim = { key: "k", digest: "abc", nowMs: 1_000 };
  expect(await trips.put(trip(2, "se1", "d1"), claim)).toEqual({ stored: false, reason: "driverBusy" });
  expect((await trips.runningOf("d1"))?.tripId).toBe(trip(1, "no1").tripId);
  await trips.put(canceled(trip(1, "no1", "d1")));
  expect(await trips.put(trip(2, "se1", "d1"), claim)).toEqual({ stored: true });
  expect((await trips.runningOf("d1"))?.region).toBe("se1");
  // The repeat of an order finds its trip, also while the driver is busy elsewhere by now.
  await trips.put(canceled(trip(2, "se1", "d1")));
  await trips.put(trip(3, "no1", "d1"));
  expect(await trips.put(trip(4, "se1", "d1"), claim)).toEqual({
    ...{ stored: false, reason: "idempotency", tripId: trip(2, "se1").tripId, digest: "abc" },
  });
  expect(await trips.runningOf("d7")).toBeUndefined();
});

test.each(["refusing", "silent"] as const)(
  "while a region is %s, the trips of the others go on and what can't be known without it is refused",
  async (trouble) => {
    const { clock, west, east, trips, failures } = await scene();
    await trips.put(trip(1, "no1", "d1"));
    await trips.put(trip(2, "se1", "d2"));
    west.trouble = trouble;
    const stop = new AbortController();
    const waits = endWaits(clock, east, stop.signal);
    expect((await trips.get(trip(2, "se1").tripId))?.driverId).toBe("d2");
    expect((await trips.runningOf("d2"))?.region).toBe("se1");
    expect((await trips.pending(REGIONS, 10)).map(({ trip: { region } }) => region)).toEqual(["se1"]);
    expect(await trips.put(trip(3, "se1", "d3"))).toEqual({ stored: true });
    expect(await trips.put({ ...trip(2, "se1", "d2"), version: 2 })).toEqual({ stored: true });
    stop.abort();
    await waits;
    expect(failures.length).toBeGreaterThan(0);
    west.trouble = "refusing";
    await expect(trips.get(trip(1, "no1").tripId)).rejects.toMatchObject(GONE);
    await expect(trips.runningOf("d1")).rejects.toMatchObject(GONE);
    await expect(trips.list({}, 10, "")).rejects.toMatchObject(GONE);
  },
);

test("one store under two addresses is no second one: its trips are listed once and go on", async () => {
  const { one } = await scene();
  const gone = new BimrideError("STORE_UNAVAILABLE");
  const sides = [breakable<Trips>(one, gone), breakable<Trips>(one, gone)] as const;
  const trips = routedTrips(
    new Map([
      ["no1", sides[0].engine],
      ["se1", sides[1].engine],
    ]),
  );
  for (const number of [1, 2, 3]) expect(await trips.put(trip(number, "se1"))).toEqual({ stored: true });
  expect(await trips.put({ ...trip(2, "se1"), version: 2 })).toEqual({ stored: true });
  const ids: string[] = [];
  for (let after = ""; ; after = ids.at(-1)!) {
    const page = await trips.list({}, 2, after);
    ids.push(...page.map(({ tripId }) => tripId));
    if (page.length < 2) break;
  }
  expect(ids).toEqual([3, 2, 1].map((number) => trip(number, "se1").tripId));
});

const orders = fc.array(
  fc.record({
    region: fc.constantFrom("no1", "se1"),
    rider: fc.constantFrom("r1", "r2"),
    canceled: fc.boolean(),
  }),
  { maxLength: 40 },
);
const filters = fc.record(
  { riderId: fc.constantFrom("r1", "r2"), runningOnly: fc.boolean() },
  { requiredKeys: [] },
);

test("lists over two regions are, page by page, those of one engine, also when pages are asked of different nodes", {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      orders,
      filters,
      fc.integer({ min: 1, max: 7 }),
      fc.boolean(),
      async (ordered, filter, limit, otherNodes) => {
        const { one, trips, freshRouter } = await scene();
        for (const [i, { region, rider, canceled: isOver }] of ordered.entries()) {
          const made = trip(i, region as "no1" | "se1", `d${i}`, [rider]);
          for (const store of [one, trips]) {
            await store.put(made);
            if (isOver) await store.put(canceled(made));
          }
        }
        const ids: string[] = [];
        for (let after = ""; ; ) {
          const page = await (otherNodes ? freshRouter() : trips).list(filter, limit, after);
          ids.push(...page.map(({ tripId }) => tripId));
          if (page.length < limit) break;
          after = ids.at(-1)!;
        }
        expect(ids).toEqual((await one.list(filter, 1_000, "")).map(({ tripId }) => tripId));
      },
    ),
    { numRuns: 15 },
  );
});
