import fc from "fast-check";
import ngeohash from "ngeohash";
import { describe, expect, test } from "vitest";
import { geohashCentre, geohashOf } from "./geohash.ts";

describe("the geohash of a place", () => {
  test("is the one that others make", () => {
    for (const [latDeg, lonDeg] of [
      [57.7089, 11.9746],
      [-33.86, 151.21],
      [0.001, -0.001],
      [90, 180],
      [-90, -180],
    ] as const)
      for (let length = 1; length <= 12; length++)
        expect(geohashOf(latDeg, lonDeg, length)).toBe(ngeohash.encode(latDeg, lonDeg, length));
  });
});

describe("the centre of a geohash", () => {
  test("is where others see it, and within half a cell of the place", () => {
    const lat = fc.double({ min: -90, max: 90, noNaN: true });
    const lon = fc.double({ min: -180, max: 180, noNaN: true });
    fc.assert(
      fc.property(lat, lon, fc.integer({ min: 1, max: 12 }), (latDeg, lonDeg, length) => {
        const text = ngeohash.encode(latDeg, lonDeg, length);
        const centre = geohashCentre(text)!;
        const { latitude, longitude, error } = ngeohash.decode(text);
        expect(centre.latDeg).toBeCloseTo(latitude, 9);
        expect(centre.lonDeg).toBeCloseTo(longitude, 9);
        expect(Math.abs(centre.latDeg - latDeg)).toBeLessThanOrEqual(error.latitude + 1e-9);
        expect(geohashOf(centre.latDeg, centre.lonDeg, length)).toBe(text);
        expect(geohashCentre(text.toUpperCase())).toEqual(centre);
      }),
    );
  });

  test("is none for what is no geohash", () => {
    for (const odd of ["", "a", "u6i", "57.7", "u6sd ", "0123456789bcd", "ü"])
      expect(geohashCentre(odd)).toBeUndefined();
  });
});
