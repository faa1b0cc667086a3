import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readRoadGraph } from "../../demo/road-graph.ts";
import { exampleDrive } from "./example-drive.ts";

const files = exampleDrive(await readRoadGraph());
const rows = (name: string) => files[name]!.trim().split("\n").slice(1);

test("the script makes the files in examples/ again", () => {
  for (const [name, text] of Object.entries(files)) {
    expect(text).toBe(readFileSync(new URL(`../../examples/${name}`, import.meta.url), "utf8"));
  }
});

test("the drive takes about a quarter of an hour at one fix per second and stays small", () => {
  expect(rows("drive.truth.csv").length).toBeGreaterThan(13 * 60);
  expect(rows("drive.truth.csv").length).toBeLessThan(17 * 60);
  expect(rows("drive.csv").length).toBeGreaterThan(0.9 * rows("drive.truth.csv").length);
  expect(Object.values(files).join("").length).toBeLessThan(150_000);
});

test("the drive shows all phases of a trip", () => {
  expect(new Set(rows("drive.csv").map((row) => row.split(",")[6]))).toEqual(
    new Set(["", "ENROUTE_TO_PICKUP", "ARRIVED_AT_PICKUP", "ENROUTE_TO_DROPOFF", "ARRIVED_AT_DROPOFF"]),
  );
});
