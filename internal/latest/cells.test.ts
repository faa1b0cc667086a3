import fc from "fast-check";
import ngeohash from "ngeohash";
import { expect, it } from "vitest";
import { haversineM } from "../core/geo.ts";
import { CELL_BITS, cellDistanceM, cellOf } from "./cells.ts";

const anyLat = fc.double({ min: -90, max: 90, noNaN: true });
const anyLon = fc.double({ min: -180, max: 180, noNaN: true });

it("nothing in a cell is nearer than the cell's distance, which is that of its nearest place", () => {
  const offsets = fc.double({ min: -0.1, max: 0.1, noNaN: true });
  const within = (value: number, limit: number) => Math.max(-limit, Math.min(limit, value));
  fc.assert(
    fc.property(anyLat, anyLon, anyLat, anyLon, offsets, offsets, fc.boolean(), (...args) => {
      const [latDeg, lonDeg, farLat, farLon, byLat, byLon, isNear] = args;
      const fromLat = isNear ? within(latDeg + byLat, 90) : farLat;
      const fromLon = isNear ? within(lonDeg + byLon, 180) : farLon;
      const leastM = cellDistanceM(cellOf(latDeg, lonDeg), fromLat, fromLon);
      const distanceM = haversineM(fromLat, fromLon, latDeg, lonDeg);
      const diagonalM = 1_400;
      expect(leastM).toBeLessThanOrEqual(distanceM);
      expect(leastM).toBeGreaterThan(distanceM - diagonalM);
    }),
    { numRuns: 3_000 },
  );
});

it("cells are those of a geohash of six characters", () => {
  const latitudes = fc.integer({ min: -90e6, max: 90e6 }).map((e6) => e6 / 1e6);
  const longitudes = fc.integer({ min: -180e6, max: 180e6 }).map((e6) => e6 / 1e6);
  fc.assert(
    fc.property(latitudes, longitudes, (latDeg, lonDeg) => {
      const [south, west, north, east] = ngeohash.decode_bbox(ngeohash.encode(latDeg, lonDeg, 6));
      // Borders belong to different cells here and there, and rounding may take a point to one.
      const off = 1e-9;
      fc.pre(latDeg > south + off && latDeg < north - off && lonDeg > west + off && lonDeg < east - off);
      const cell = cellOf(latDeg, lonDeg);
      const row = cell >> CELL_BITS;
      const column = cell & ((1 << CELL_BITS) - 1);
      expect(row).toBe(Math.round(((south + 90) / 180) * 2 ** CELL_BITS));
      expect(column).toBe(Math.round(((west + 180) / 360) * 2 ** CELL_BITS));
    }),
  );
});
