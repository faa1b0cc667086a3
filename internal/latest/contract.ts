import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../core/virtual-clock.ts";
import type { Latest, LatestFlush } from "./latest.ts";
import { searchContract } from "./search-contract.ts";
import { car, FULL_LIVE, flush, live, TRIP } from "./test-data.ts";

/** The same fix is at the same place, whoever writes it. */
const latOf = (id: number, seq: number) => (id * 41 + seq) / 4;

/** Number of the newest of the party's updates, -1 for none. */
function newestSeq(flushes: readonly LatestFlush[], partyKey: string): number {
  const own = flushes.flatMap(({ parties }) => parties).filter((party) => party.partyKey === partyKey);
  return Math.max(-1, ...own.map(({ seq }) => seq));
}

/**
 * What every engine of the latest state must do.
 * @param open an empty engine on the clock
 */
export function latestContract(engine: string, open: (clock: VirtualClock) => Promise<Latest>): void {
  const opened = () => open(new VirtualClock(1_000));

  describe(`latest state on ${engine}`, () => {
    it("gives back a party as it was written, and nothing for one it never saw", async () => {
      await using latest = await opened();
      await latest.update(flush({ parties: [car("a")] }));
      expect(await latest.party("driver/a")).toEqual(car("a"));
      expect(await latest.party("driver/b")).toBeUndefined();
    });

    it("lets the newest (session epoch, seq) win, whatever comes in which order", async () => {
      await using latest = await opened();
      const updates = [car("a", { seq: 5, latDeg: 1 }), car("a", { seq: 4, latDeg: 2 })];
      await latest.update(flush({ parties: updates }));
      expect((await latest.party("driver/a"))?.latDeg).toBe(1);
      await latest.update(flush({ parties: [car("a", { sessionEpoch: 2, seq: 0, latDeg: 3 })] }));
      await latest.update(flush({ parties: [car("a", { sessionEpoch: 1, seq: 9, latDeg: 4 })] }));
      expect((await latest.party("driver/a"))?.latDeg).toBe(3);
    });

    it("takes what is known of the same fix anew, such as its trip", async () => {
      await using latest = await opened();
      await latest.update(flush({ parties: [car("a")] }));
      await latest.update(flush({ parties: [car("a", { tripId: TRIP })] }));
      expect((await latest.party("driver/a"))?.tripId).toBe(TRIP);
    });

    it("finds a party that moved in its new place only", async () => {
      await using latest = await opened();
      await latest.update(flush({ parties: [car("a")] }));
      await latest.update(flush({ parties: [car("a", { seq: 2, latDeg: -33, lonDeg: 151 })] }));
      expect(await latest.nearby(57.7, 11.97, 10_000, 10)).toEqual([]);
      expect(await latest.nearby(-33, 151, 10_000, 10)).toMatchObject([
        { partyKey: "driver/a", distanceM: 0 },
      ]);
    });

    it("refuses an owner whose partition epoch is outdated, and counts what it refused", async () => {
      await using latest = await opened();
      expect(await latest.update(flush({ partitionEpoch: 11, parties: [car("a")] }))).toEqual({ refused: 0 });
      const outdated = flush({ parties: [car("a", { seq: 2 })], trips: [live(1)], removed: ["driver/a"] });
      expect(await latest.update(outdated)).toEqual({ refused: 3 });
      expect(await latest.party("driver/a")).toEqual(car("a"));
      expect(await latest.trip(TRIP)).toBeUndefined();
      expect(await latest.update({ ...outdated, partition: 4 })).toEqual({ refused: 0 });
    });

    it("forgets a removed party at once", async () => {
      await using latest = await opened();
      await latest.update(flush({ parties: [car("a"), car("b")] }));
      await latest.update(flush({ removed: ["driver/a", "driver/z"] }));
      expect(await latest.party("driver/a")).toBeUndefined();
      expect(await latest.nearby(57.7, 11.97, 100, 10)).toHaveLength(1);
    });

    it("keeps the newest version of a trip", async () => {
      await using latest = await opened();
      expect(await latest.trip(TRIP)).toBeUndefined();
      await latest.update(flush({ trips: [live(2)] }));
      await latest.update(flush({ trips: [live(1)] }));
      expect(await latest.trip(TRIP)).toEqual(live(2));
      await latest.update(flush({ trips: [live(1, { version: { generation: 2, sequence: 1, index: 0 } })] }));
      expect((await latest.trip(TRIP))?.version.generation).toBe(2);
    });

    it("drops a trip when its live access is over, and the silent by sweep", async () => {
      const clock = new VirtualClock(1_000);
      await using latest = await open(clock);
      const parties = [car("a"), car("b", { receivedAtMs: 2_000 })];
      await latest.update(flush({ parties, trips: [live(1, { dropAtMs: 1_800_000 })] }));
      expect(await latest.trip(TRIP)).toBeDefined();
      expect(await latest.sweep(2_000, 1_799_999)).toEqual({ parties: 1, trips: 0 });
      expect(await latest.party("driver/a")).toBeUndefined();
      expect(await latest.nearby(57.7, 11.97, 100, 10)).toHaveLength(1);
      clock.advanceTo(1_800_000);
      expect(await latest.trip(TRIP)).toBeUndefined();
      expect(await latest.sweep(2_000, 1_800_000)).toEqual({ parties: 0, trips: 1 });
    });

    it("sweeps by the last receipt, whatever was heard before it", async () => {
      await using latest = await opened();
      const heard = [1_000, 5_000, 4_000].map((receivedAtMs, seq) => car("a", { seq, receivedAtMs }));
      await latest.update(flush({ parties: [heard[0]!, car("b", { receivedAtMs: 1_000 })] }));
      await latest.update(flush({ parties: [heard[1]!] }));
      expect(await latest.sweep(3_000, 3_000)).toEqual({ parties: 1, trips: 0 });
      expect(await latest.nearby(57.7, 11.97, 100, 10)).toMatchObject([{ partyKey: "driver/a" }]);
      await latest.update(flush({ parties: [heard[2]!] }));
      expect(await latest.sweep(4_000, 4_000)).toEqual({ parties: 0, trips: 0 });
      expect(await latest.sweep(4_001, 4_001)).toEqual({ parties: 1, trips: 0 });
      expect(await latest.party("driver/a")).toBeUndefined();
    });

    it("shows no trip whose live access was over when it came", async () => {
      await using latest = await opened();
      await latest.update(flush({ trips: [live(1, { dropAtMs: 900 })] }));
      expect(await latest.trip(TRIP)).toBeUndefined();
    });

    it("gives back a trip with all that there is to it", async () => {
      await using latest = await opened();
      await latest.update(flush({ trips: [FULL_LIVE] }));
      expect(await latest.trip(TRIP)).toEqual(FULL_LIVE);
      const version = { generation: 1, sequence: 8, index: 0 };
      const later = { ...FULL_LIVE, version, trail: FULL_LIVE.trail.slice(1) };
      await latest.update(flush({ trips: [later] }));
      expect(await latest.trip(TRIP)).toEqual(later);
      const trip = { ...FULL_LIVE.trip, version: 3, status: "COMPLETE" as const };
      const changed = { ...later, trip, version: { ...version, index: 1 }, position: undefined };
      await latest.update(flush({ trips: [changed] }));
      expect(await latest.trip(TRIP)).toEqual(changed);
    });

    it("stores a trip as it was when it was given, however it goes on meanwhile", async () => {
      await using latest = await opened();
      const given = flush({ trips: [FULL_LIVE] });
      const written = latest.update(given);
      const [packed] = given.trips;
      packed!.trail.push({ latDeg: 1, lonDeg: 2, capturedAtMs: 3_000 }, 10);
      packed!.live.version = { generation: 1, sequence: 9, index: 0 };
      await written;
      expect(await latest.trip(TRIP)).toEqual(FULL_LIVE);
    });

    it("gives back parties with the longest names, at the ends of the Earth and of numbers", async () => {
      await using latest = await opened();
      const parties = [
        car("x".repeat(64), { tripId: `${"r".repeat(16)}-${"z".repeat(26)}`, latDeg: -90, lonDeg: -180 }),
        car("y", { latDeg: 90, lonDeg: 180, headingDeg: 359.999, speedMps: Number.NaN }),
        car("z", { sessionEpoch: 1_790_000_000_000_001, seq: 4_294_967_295, partyKey: "rider/z" }),
        car("0", { latDeg: 1 / 3, lonDeg: -1e-7, capturedAtMs: 1_790_000_000_000.25 }),
      ];
      await latest.update(flush({ parties }));
      for (const party of parties) expect(await latest.party(party.partyKey)).toEqual(party);
    });

    it("has lost nothing since it was opened empty, whatever is written later", async () => {
      const clock = new VirtualClock(1_000);
      await using latest = await open(clock);
      clock.advanceTo(5_000);
      expect(await latest.intactSince(TRIP)).toBe(1_000);
      await latest.update(flush({ parties: [car("a")], trips: [live(1)] }));
      await latest.update(flush({ partitionEpoch: 11, parties: [car("a")], trips: [live(2)] }));
      expect(await latest.intactSince(TRIP)).toBe(1_000);
    });

    it("takes a flush of any size, and sweeps as many", async () => {
      await using latest = await opened();
      const parties = Array.from({ length: 1_234 }, (_, i) => car(`c${i}`, { latDeg: 57.7 + i / 50_000 }));
      const trips = parties.slice(0, 321).map((_, i) => {
        const tripId = `se1-${String(i).padStart(26, "0")}`;
        return live(1, { tripId, trip: { ...live(1).trip, tripId }, dropAtMs: 2_000 });
      });
      expect(await latest.update(flush({ parties, trips }))).toEqual({ refused: 0 });
      const everywhere = { southDeg: -90, northDeg: 90, westDeg: -180, eastDeg: 180 };
      expect((await latest.within(everywhere, 2_000)).parties).toHaveLength(1_234);
      expect((await latest.trip(trips[320]!.tripId))?.tripId).toBe(trips[320]!.tripId);
      expect(await latest.within(everywhere, 0)).toEqual({ parties: [], truncated: true });
      expect(await latest.nearby(57.7, 11.97, 5_000_000, 2_000)).toHaveLength(1_234);
      expect(await latest.nearby(57.7, 11.97, 5_000_000, 0)).toEqual([]);
      expect(await latest.update(flush({ removed: parties.slice(0, 234).map((p) => p.partyKey) }))).toEqual({
        refused: 0,
      });
      expect(await latest.sweep(2_000, 2_000)).toEqual({ parties: 1_000, trips: 321 });
      expect((await latest.within(everywhere, 2_000)).parties).toEqual([]);
    });

    it("lets a removed party return with something newer only, until a minute is over", async () => {
      const clock = new VirtualClock(1_000);
      await using latest = await open(clock);
      const [same, newer] = [car("a", { seq: 5 }), car("a", { seq: 6 })];
      await latest.update(flush({ parties: [same, car("b", { seq: 5 })] }));
      await latest.update(flush({ parties: [same], removed: ["driver/a", "driver/b"] }));
      await latest.update(flush({ parties: [same, car("b", { seq: 4 })] }));
      await latest.sweep(0, 30_000);
      clock.advanceTo(30_000);
      await latest.update(flush({ parties: [same, car("b", { seq: 4 })] }));
      expect(await latest.party("driver/a")).toBeUndefined();
      expect(await latest.nearby(57.7, 11.97, 100, 10)).toEqual([]);
      await latest.update(flush({ parties: [newer] }));
      expect(await latest.party("driver/a")).toEqual(newer);
      clock.advanceTo(61_001);
      await latest.sweep(0, 61_001);
      await latest.update(flush({ parties: [car("b", { seq: 4 })] }));
      expect(await latest.nearby(57.7, 11.97, 100, 10)).toHaveLength(2);
    });

    it("ends with the newest of what it took, whichever owner wrote it and in whichever order", async () => {
      const writes = fc.record({
        partitionEpoch: fc.integer({ min: 1, max: 3 }),
        cars: fc.array(fc.tuple(fc.nat(6), fc.nat(40)), { minLength: 1, maxLength: 8 }),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(writes, { maxLength: 25 }), async (script) => {
          await using latest = await opened();
          const flushes = script.map(({ partitionEpoch, cars }) =>
            flush({
              partitionEpoch,
              parties: cars.map(([id, seq]) => car(`c${id}`, { seq, latDeg: latOf(id, seq) })),
            }),
          );
          const answers = await Promise.all(flushes.map((each) => latest.update(each)));
          const newestEpoch = Math.max(...flushes.map((each) => each.partitionEpoch));
          const taken = flushes.filter((_, i) => answers[i]!.refused === 0);
          const touched = flushes.filter((each, i) => answers[i]!.refused < each.parties.length);
          for (const each of flushes)
            if (!taken.includes(each)) expect(each.partitionEpoch).toBeLessThan(newestEpoch);
          for (let id = 0; id <= 6; id++) {
            const found = await latest.party(`driver/c${id}`);
            const [least, most] = [taken, touched].map((some) => newestSeq(some, `driver/c${id}`));
            expect(found?.seq ?? -1).toBeGreaterThanOrEqual(least!);
            expect(found?.seq ?? -1).toBeLessThanOrEqual(most!);
            if (found) expect(found).toEqual(car(`c${id}`, { seq: found.seq, latDeg: latOf(id, found.seq) }));
          }
        }),
        { numRuns: 100 },
      );
    });

    it("says nothing of losses while there are none", async () => {
      const clock = new VirtualClock(1_000);
      await using latest = await open(clock);
      let losses = 0;
      const stop = latest.onLost(() => losses++);
      await Promise.all([1, 2, 3, 4].map((seq) => latest.update(flush({ parties: [car("a", { seq })] }))));
      for (let i = 1; i <= 5; i++) {
        clock.advanceTo(1_000 + 1_000 * i);
        await latest.update(flush({ trips: [live(i)] }));
      }
      stop();
      expect(losses).toBe(0);
    });

    searchContract(opened);
  });
}
