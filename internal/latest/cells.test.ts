import fc from "fast-check";
import ngeohash from "ngeohash";
import { expect, it } from "vitest";
import { CELL_BITS, cellOf } from "./cells.ts";

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
