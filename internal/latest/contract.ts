import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { haversineM, type Rect, rectContains } from "../core/geo.ts";
import type { TripLive } from "../core/live.ts";
import type { Trip } from "../core/trip.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import type { Latest, LatestFlush, LatestParty } from "./latest.ts";

const TRIP = "se1-00000000000000000000000000";

function car(id: string, fields: Partial<LatestParty> = {}): LatestParty {
  return {
    partyKey: `driver/${id}`,
    sessionEpoch: 1,
    seq: 1,
    latDeg: 57.7,
    lonDeg: 11.97,
    headingDeg: Number.NaN,
    speedMps: 3,
    capturedAtMs: 1_000,
    receivedAtMs: 1_100,
    tripId: "",
    ...fields,
  };
}

function live(sequence: number, fields: Partial<TripLive> = {}): TripLive {
  const trip: Trip = {
    tripId: TRIP,
    region: "se1",
    type: "exclusive",
    version: 1,
    generation: 1,
    status: "NEW",
    statusSource: "explicit",
    statusAtMs: 0,
    waypointIndex: 0,
    riderIds: ["r1"],
    driverId: "d1",
    waypoints: [],
    plannedPath: [],
    createdAtMs: 0,
    updatedAtMs: 0,
    assignments: [],
    endedAtMs: 0,
    cancelReason: "",
  };
  const version = { generation: 1, sequence, index: 0 };
  return {
    tripId: TRIP,
    version,
    trip,
    position: undefined,
    trail: [],
    device: undefined,
    dropAtMs: 0,
    ...fields,
  };
}

/** Coordinates are whole in 1e-7 degrees, the resolution of what viewers are shown. */
const FULL_LIVE = live(7, {
  trip: {
    ...live(7).trip,
    version: 2,
    status: "ENROUTE_TO_PICKUP",
    riderIds: ["r1", "r2"],
    waypoints: [{ kind: "pickup", position: { latDeg: 57.7, lonDeg: 11.97 }, riderId: "r1", label: "Ö, 1" }],
    plannedPath: [
      { latDeg: 57.7, lonDeg: 11.97 },
      { latDeg: 57.71, lonDeg: 11.98 },
    ],
    assignments: [{ driverId: "d1", fromMs: 5, toMs: 0 }],
  },
  position: {
    ...{ latDeg: 57.7012345, lonDeg: -0.0000001, headingDeg: Number.NaN, speedMps: 3.5, accuracyM: 4.25 },
    ...{ capturedAtMs: 1_000, receivedAtMs: 1_100, loggedAtMs: 1_101, processedAtMs: 1_102 },
  },
  trail: [
    { latDeg: 57.7, lonDeg: 179.9999999, capturedAtMs: 500 },
    { latDeg: -57.7012345, lonDeg: -180, capturedAtMs: 1_000 },
  ],
  device: { state: { batteryPercent: 55, network: "wifi", gpsEnabled: false }, connected: true, atMs: 900 },
});

function flush(fields: Partial<LatestFlush>): LatestFlush {
  return { partition: 3, partitionEpoch: 10, parties: [], trips: [], removed: [], ...fields };
}

/** Latitudes and longitudes where geometry is hardest, and anywhere. */
const latitudes = fc.oneof(
  fc.double({ min: -90, max: 90, noNaN: true }),
  fc.constantFrom(-90, 90, 0, 89.999, -89.999),
  fc.double({ min: 57.69, max: 57.71, noNaN: true }),
);
const longitudes = fc.oneof(
  fc.double({ min: -180, max: 180, noNaN: true }),
  fc.constantFrom(-180, 180, 0, 179.999, -179.999),
  fc.double({ min: 11.95, max: 11.99, noNaN: true }),
);
const places = fc.record({ latDeg: latitudes, lonDeg: longitudes });
const fleets = fc.array(places, { maxLength: 60 }).map((list) => list.map((place, i) => car(`c${i}`, place)));
const radii = fc.oneof(
  fc.double({ min: 0, max: 5_000, noNaN: true }),
  fc.double({ min: 0, max: 25_000_000, noNaN: true }),
);

function nearbyByForce(fleet: LatestParty[], latDeg: number, lonDeg: number, radiusM: number, limit: number) {
  return fleet
    .map((party) => ({ ...party, distanceM: haversineM(latDeg, lonDeg, party.latDeg, party.lonDeg) }))
    .filter((party) => party.distanceM <= radiusM)
    .sort((a, b) => a.distanceM - b.distanceM || (a.partyKey < b.partyKey ? -1 : 1))
    .slice(0, limit);
}

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

    it("finds the nearest parties like brute force, at poles and the 180th meridian too", async () => {
      await fc.assert(
        fc.asyncProperty(
          fleets,
          places,
          radii,
          fc.integer({ min: 1, max: 20 }),
          async (fleet, at, radiusM, limit) => {
            await using latest = await opened();
            await latest.update(flush({ parties: fleet }));
            const found = await latest.nearby(at.latDeg, at.lonDeg, radiusM, limit);
            expect(found).toEqual(nearbyByForce(fleet, at.latDeg, at.lonDeg, radiusM, limit));
          },
        ),
        { numRuns: 500 },
      );
    });

    it("finds the parties of a rectangle like brute force, and says when there are more", async () => {
      const rects: fc.Arbitrary<Rect> = fc.tuple(places, places).map(([a, b]) => ({
        southDeg: Math.min(a.latDeg, b.latDeg),
        northDeg: Math.max(a.latDeg, b.latDeg),
        westDeg: a.lonDeg,
        eastDeg: b.lonDeg,
      }));
      await fc.assert(
        fc.asyncProperty(fleets, rects, fc.integer({ min: 1, max: 60 }), async (fleet, rect, limit) => {
          await using latest = await opened();
          await latest.update(flush({ parties: fleet }));
          const inside = fleet.filter((party) => rectContains(rect, party.latDeg, party.lonDeg));
          const found = await latest.within(rect, limit);
          expect(found.truncated).toBe(inside.length > limit);
          expect(found.parties).toHaveLength(Math.min(limit, inside.length));
          expect(new Set(found.parties.map((party) => party.partyKey)).size).toBe(found.parties.length);
          expect(inside).toEqual(expect.arrayContaining(found.parties));
        }),
        { numRuns: 500 },
      );
    });

    it("finds everything after many moves, removals and returns like brute force", async () => {
      const moves = fc.array(fc.record({ id: fc.nat(15), at: places, gone: fc.boolean() }), {
        maxLength: 120,
      });
      await fc.assert(
        fc.asyncProperty(moves, places, radii, async (script, at, radiusM) => {
          await using latest = await opened();
          const fleet = new Map<string, LatestParty>();
          for (const [seq, { id, at: place, gone }] of script.entries()) {
            const party = car(`c${id}`, { ...place, seq });
            if (gone) fleet.delete(party.partyKey);
            else fleet.set(party.partyKey, party);
            await latest.update(flush(gone ? { removed: [party.partyKey] } : { parties: [party] }));
          }
          const found = await latest.nearby(at.latDeg, at.lonDeg, radiusM, 50);
          expect(found).toEqual(nearbyByForce([...fleet.values()], at.latDeg, at.lonDeg, radiusM, 50));
        }),
        { numRuns: 100 },
      );
    });
  });
}
