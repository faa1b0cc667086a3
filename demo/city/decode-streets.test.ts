import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { decodeStreets, type PackedStreets } from "./decode-streets.ts";
import { CITY_ATTRIBUTION, ROAD_CLASSES } from "./road-classes.ts";

const read = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");
const packed: PackedStreets = JSON.parse(read("streets.json"));

test("the base map is GeoJSON lines of every class within the bounds, major streets last", () => {
  const { features } = decodeStreets(packed);
  const [west, south, east, north] = packed.bounds;
  const unit = 1 / packed.unitsPerDegree;
  expect(features.length).toBeGreaterThan(15_000);
  expect(new Set(features.map((feature) => feature.properties.class))).toEqual(new Set(ROAD_CLASSES));
  const ranks = features.map((feature) => ROAD_CLASSES.indexOf(feature.properties.class));
  expect(ranks).toEqual(ranks.toSorted((a, b) => b - a));
  for (const { geometry } of features) {
    expect(geometry.coordinates.length).toBeGreaterThan(1);
    for (const [lon, lat] of geometry.coordinates as [number, number][]) {
      expect(lon >= west - unit && lon <= east + unit && lat >= south - unit && lat <= north + unit).toBe(
        true,
      );
    }
  }
});

test("streets have their names", () => {
  const names = new Set(decodeStreets(packed).features.map((feature) => feature.properties.name));
  expect(names).toContain("Kungsportsavenyen");
  expect(names).toContain("");
});

test("the base map stays small enough to be sent with the page", () => {
  expect(read("streets.json").length).toBeLessThan(600_000);
});

test("data that are cut short or of another schema are refused", () => {
  expect(() => decodeStreets({ ...packed, lines: packed.lines.slice(0, 4000) })).toThrow();
  expect(() => decodeStreets({ ...packed, schema: "bimride.streets/2" as "bimride.streets/1" })).toThrow(
    RangeError,
  );
});

test("the notice of OpenStreetMap and its licence lies beside the data and in them", () => {
  expect(CITY_ATTRIBUTION).toBe("© OpenStreetMap contributors, ODbL");
  expect(read("NOTICE")).toContain(CITY_ATTRIBUTION);
  expect(read("NOTICE")).toContain("What was changed");
  for (const file of ["streets.json", "graph.json"]) {
    expect(JSON.parse(read(file)).attribution).toBe(CITY_ATTRIBUTION);
  }
});
