import fc from "fast-check";
import { expect, test } from "vitest";
import { BimrideError } from "../../core/errors.ts";
import { packLive } from "../../core/packed-live.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import { latestContract } from "../../latest/contract.ts";
import type { Latest, LatestParty } from "../../latest/latest.ts";
import { MemoryLatest } from "../../latest/memory/memory-latest.ts";
import { tripOf } from "../../live/kit.ts";
import { routedLatest } from "./latest.ts";
import { breakable } from "./test-engines.ts";

const NOW_MS = 10_000_000;
/** Longer ago than what is taken on trust. */
const SILENT_MS = NOW_MS - 31_000;
const SWEDEN = { southDeg: 57, westDeg: 11, northDeg: 58, eastDeg: 13 };

latestContract("a router over the latest states of two regions", async (clock) =>
  routedLatest(
    new Map([
      ["se1", new MemoryLatest(clock)],
      ["no1", new MemoryLatest(clock)],
    ]),
    clock,
  ),
);

function scene() {
  const clock = new VirtualClock(NOW_MS);
  const gone = new BimrideError("STORE_UNAVAILABLE");
  const west = breakable<Latest>(new MemoryLatest(clock), gone);
  const east = breakable<Latest>(new MemoryLatest(clock), gone);
  const failures: unknown[] = [];
  const router = routedLatest(
    new Map([
      ["no1", west.engine],
      ["se1", east.engine],
    ]),
    clock,
    { ioClock: clock, onRegionFailed: (error) => failures.push(error) },
  );
  return { clock, west, east, router, failures };
}

function car(id: string, fields: Partial<LatestParty> = {}): LatestParty {
  return {
    ...{ partyKey: `driver/${id}`, sessionEpoch: 1, seq: 1, latDeg: 57.7, lonDeg: 11.97 },
    ...{ headingDeg: Number.NaN, speedMps: 3, capturedAtMs: NOW_MS, receivedAtMs: NOW_MS, tripId: "" },
    ...fields,
  };
}

function put(latest: Latest, ...parties: LatestParty[]) {
  return latest.update({ partition: 0, partitionEpoch: 1, parties, trips: [], removed: [] });
}

test("a trip is read from the region that its id names", async () => {
  const { west, east, router } = scene();
  const live = (tripId: string) => ({
    ...{ tripId, version: { generation: 1, sequence: 1, index: 0 }, trip: tripOf(tripId) },
    ...{ position: undefined, trail: [], device: undefined, dropAtMs: NOW_MS + 1_000 },
  });
  const [own, other] = ["no1-0000000000000000000000000a", "se1-0000000000000000000000000b"] as const;
  const flush = { partition: 0, partitionEpoch: 1, parties: [], removed: [] };
  await west.engine.update({ ...flush, trips: [packLive(live(own))] });
  await east.engine.update({ ...flush, trips: [packLive(live(other))] });
  expect((await router.trip(own))?.tripId).toBe(own);
  expect((await router.trip(other))?.tripId).toBe(other);
  west.trouble = "refusing";
  expect((await router.trip(other))?.tripId).toBe(other);
  await expect(router.trip(own)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});

test("a party that crossed the border is where it is now, not where it was left behind", async () => {
  const { west, east, router } = scene();
  await put(west.engine, car("a", { seq: 5, receivedAtMs: SILENT_MS }));
  await put(east.engine, car("a", { seq: 6, latDeg: 59.9, lonDeg: 10.7 }));
  expect(await router.party("driver/a")).toMatchObject({ seq: 6, latDeg: 59.9 });
  expect((await router.within(SWEDEN, 10)).parties).toEqual([]);
  expect(await router.nearby(57.7, 11.97, 1_000, 10)).toEqual([]);
  expect(await router.nearby(59.9, 10.7, 1_000, 10)).toMatchObject([{ partyKey: "driver/a", seq: 6 }]);
  expect((await router.sweep(NOW_MS - 1, NOW_MS)).parties).toBe(1);
});

test.each(["refusing", "silent"] as const)(
  "what the others know is told while a region is %s, and that is told too",
  async (trouble) => {
    const { clock, west, east, router, failures } = scene();
    await put(west.engine, car("a"));
    await put(east.engine, car("b", { receivedAtMs: SILENT_MS }));
    west.trouble = trouble;
    const answers = Promise.all([
      router.party("driver/b"),
      router.within(SWEDEN, 10),
      router.nearby(57.7, 11.97, 1_000, 10),
      router.sweep(0, NOW_MS),
    ]);
    // Searches look for the silent "b" in the silent region once more.
    for (let turn = 0; turn < 5; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advanceTo(clock.now() + 1_000);
    }
    const [party, within, nearby] = await answers;
    expect(party?.partyKey).toBe("driver/b");
    expect(within.parties.map(({ partyKey }) => partyKey)).toEqual(["driver/b"]);
    expect(nearby.map(({ partyKey }) => partyKey)).toEqual(["driver/b"]);
    expect(failures.length).toBeGreaterThanOrEqual(4);
  },
);

test("when no region answers the caller is told", async () => {
  const { west, east, router } = scene();
  for (const link of [west, east]) link.trouble = "refusing";
  const gone = { code: "STORE_UNAVAILABLE" };
  await expect(router.party("driver/a")).rejects.toMatchObject(gone);
  await expect(router.nearby(57, 12, 1_000, 10)).rejects.toMatchObject(gone);
  await expect(router.within(SWEDEN, 10)).rejects.toMatchObject(gone);
});

const places = fc.record({
  latDeg: fc.double({ min: 57, max: 58, noNaN: true }),
  lonDeg: fc.double({ min: 11, max: 12, noNaN: true }),
});
/** Where a party was in one region, and where it is in the other, if it is there. */
const journeys = fc.array(
  fc.record({ was: fc.option(places, { nil: undefined }), is: places, west: fc.boolean() }),
  { maxLength: 60 },
);

test("searches over two regions find what one engine with each party's newest place finds", async () => {
  await fc.assert(
    fc.asyncProperty(
      journeys,
      places,
      fc.integer({ min: 1, max: 25 }),
      fc.double({ min: 0, max: 150_000, noNaN: true }),
      async (fleet, at, limit, radiusM) => {
        const { clock, west, east, router } = scene();
        const one = new MemoryLatest(clock);
        for (const [i, { was, is, west: isWest }] of fleet.entries()) {
          const [now, before] = isWest ? [west, east] : [east, west];
          if (was) await put(before.engine, car(`${i}`, { ...was, receivedAtMs: SILENT_MS }));
          await put(now.engine, car(`${i}`, { ...is, seq: 2 }));
          await put(one, car(`${i}`, { ...is, seq: 2 }));
        }
        expect(await router.nearby(at.latDeg, at.lonDeg, radiusM, limit)).toEqual(
          await one.nearby(at.latDeg, at.lonDeg, radiusM, limit),
        );
        const rect = { southDeg: 57, westDeg: 11, northDeg: at.latDeg, eastDeg: at.lonDeg };
        const keys = ({ parties }: { parties: LatestParty[] }) =>
          parties.map(({ partyKey }) => partyKey).sort();
        expect(keys(await router.within(rect, 1_000))).toEqual(keys(await one.within(rect, 1_000)));
      },
    ),
    { numRuns: 200 },
  );
});
