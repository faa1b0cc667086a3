import fc from "fast-check";
import { expect, it } from "vitest";
import { haversineM, type Rect, rectContains } from "../core/geo.ts";
import type { Latest, LatestParty } from "./latest.ts";
import { car, flush } from "./test-data.ts";

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

/** The part of the contract about searches: they equal brute force. */
export function searchContract(opened: () => Promise<Latest>): void {
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
}
