import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { destination, distanceM } from "../core/geo.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import { parseRegions } from "./region-file.ts";
import { regionFinder } from "./region-of.ts";
import { singleRegion } from "./regions.ts";

type Point = [lonDeg: number, latDeg: number];
const box = (west: number, south: number, east: number, north: number): Point[] => [
  [west, south],
  [east, south],
  [east, north],
  [west, north],
  [west, south],
];
const finder = (boxes: Record<string, Point[]>, defaultName: string) =>
  regionFinder(
    parseRegions(
      JSON.stringify({
        type: "FeatureCollection",
        features: Object.entries(boxes).map(([name, ring]) => ({
          type: "Feature",
          properties: { name, default: name === defaultName },
          geometry: { type: "Polygon", coordinates: [ring] },
        })),
      }),
      { cassandraLocalDc: "datacenter1", cassandraKeyspace: "bimride" },
    ),
    DEFAULT_LIMITS,
  );

const BORDER = 57.7;
const NORTH = box(11.5, BORDER, 12.5, 58.2);
const SOUTH = box(11.5, 57.2, 12.5, BORDER);
const regionOf = finder({ north: NORTH, south: SOUTH }, "south");
/** A place on the meridian in the middle, so many metres north of the border. */
const northOf = (metres: number) => destination(BORDER, 12, 0, metres);
const at = (metres: number, last: string) => {
  const { latDeg, lonDeg } = northOf(metres);
  return regionOf(latDeg, lonDeg, last);
};

describe("the region of a place", () => {
  test("is the one that holds it when there is none before", () => {
    expect(at(10, "")).toBe("north");
    expect(at(-10, "")).toBe("south");
    expect(at(-10, "gone")).toBe("south");
  });

  test("stays until the party is more than 2 km outside", () => {
    expect(at(1_990, "south")).toBe("south");
    expect(at(2_010, "south")).toBe("north");
    expect(at(-1_990, "north")).toBe("north");
    expect(at(-2_010, "north")).toBe("south");
  });

  test("outside all regions stays, or is the nearest in reach, or the default", () => {
    const far = { latDeg: 0, lonDeg: 100 };
    expect(regionOf(far.latDeg, far.lonDeg, "north")).toBe("north");
    expect(regionOf(far.latDeg, far.lonDeg, "")).toBe("south");
    const beyondNorth = destination(58.2, 12, 0, 49_000);
    expect(regionOf(beyondNorth.latDeg, beyondNorth.lonDeg, "")).toBe("north");
    const outOfReach = destination(58.2, 12, 0, 51_000);
    expect(regionOf(outOfReach.latDeg, outOfReach.lonDeg, "")).toBe("south");
  });

  test("on the border itself is the first of the file", () => {
    expect(regionOf(BORDER, 12, "")).toBe("north");
  });

  test("is near across the 180th meridian too", () => {
    const fiji = finder({ east: box(175, -20, 180, -15), west: box(-180, -20, -175, -15) }, "west");
    expect(fiji(-17, -179.99, "east")).toBe("east");
    expect(fiji(-17, -179.9, "east")).toBe("west");
    expect(fiji(-17, 179.99, "west")).toBe("west");
    expect(fiji(-17, 179.9, "west")).toBe("east");
  });

  test("is always the same without a region file", () => {
    const one = regionFinder(singleRegion("local"), DEFAULT_LIMITS);
    expect([one(57, 12, ""), one(-90, 180, "other")]).toEqual(["local", "local"]);
  });
});

describe("any places", () => {
  const latitudes = fc.double({ min: -90, max: 90, noNaN: true });
  const longitudes = fc.double({ min: -180, max: 180, noNaN: true });
  const lasts = fc.constantFrom("", "north", "south", "gone");

  test("have exactly one region, whatever was before, and keep it where they stand", () => {
    fc.assert(
      fc.property(latitudes, longitudes, lasts, (latDeg, lonDeg, last) => {
        const region = regionOf(latDeg, lonDeg, last);
        expect(["north", "south"]).toContain(region);
        expect(regionOf(latDeg, lonDeg, region)).toBe(region);
      }),
      { numRuns: 2_000 },
    );
  });

  test("along the border never change the region while they are within 2 km of it", () => {
    const walk = fc.array(
      fc.record({
        metres: fc.integer({ min: -1_950, max: 1_950 }),
        lonDeg: fc.double({ min: 11.6, max: 12.4, noNaN: true }),
      }),
      { minLength: 1, maxLength: 100 },
    );
    fc.assert(
      fc.property(walk, fc.constantFrom("north", "south"), (steps, start) => {
        let region: string = start;
        for (const { metres, lonDeg } of steps) {
          region = regionOf(northOf(metres).latDeg, lonDeg, region);
          expect(region).toBe(start);
        }
      }),
    );
  });

  test("change the region only after 4 km of way since the change before", () => {
    const steps = fc.array(
      fc.record({
        bearing: fc.double({ min: 0, max: 360, noNaN: true }),
        metres: fc.integer({ min: 0, max: 3_000 }),
      }),
      { minLength: 20, maxLength: 300 },
    );
    fc.assert(
      fc.property(steps, (way) => {
        let place = northOf(0);
        let region = "north";
        let sinceChangeM = 4_000;
        for (const { bearing, metres } of way) {
          const next = destination(place.latDeg, place.lonDeg, bearing, metres);
          sinceChangeM += distanceM(place.latDeg, place.lonDeg, next.latDeg, next.lonDeg);
          place = next;
          const before = region;
          region = regionOf(place.latDeg, place.lonDeg, region);
          if (region === before) continue;
          expect(sinceChangeM).toBeGreaterThan(3_990);
          sinceChangeM = 0;
        }
      }),
    );
  });
});
