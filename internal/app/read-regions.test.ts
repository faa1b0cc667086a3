import { mkdir, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { loadSettings } from "../config/settings.ts";
import { EngineError } from "../core/engine-error.ts";
import { readRegions } from "./read-regions.ts";

const EXAMPLE = new URL("../../examples/regions.geojson", import.meta.url).pathname;

const regionsOf = (env: Record<string, string>) => readRegions(loadSettings(env, []));

describe("the regions of a deployment", () => {
  test("are those of the file, or one without a file", async () => {
    const { all, defaultName } = await regionsOf({ BIMRIDE_REGIONS_FILE: EXAMPLE });
    expect(all.map(({ name }) => name)).toEqual(["north", "south"]);
    expect(defaultName).toBe("south");
    expect(await regionsOf({ BIMRIDE_REGION: "se1" })).toMatchObject({ defaultName: "se1" });
  });

  test("have the process's own among them", async () => {
    await expect(regionsOf({ BIMRIDE_REGIONS_FILE: EXAMPLE, BIMRIDE_REGION: "se1" })).rejects.toThrow(
      `region: se1 is none of the regions of ${EXAMPLE}: north, south`,
    );
  });
});

describe("a region file that can't be used is one line that names the setting and the file", () => {
  const square = [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
    [0, 0],
  ];
  const collection = (...names: string[]) =>
    JSON.stringify({
      type: "FeatureCollection",
      features: names.map((name, i) => ({
        type: "Feature",
        properties: { name, default: i === 0 },
        geometry: { type: "Polygon", coordinates: [square] },
      })),
    });

  test.each([
    ["empty", "", /^: not JSON: [^\n]+$/],
    ["no JSON", "[1,\n  regions]", /^: not JSON: [^\n]+$/],
    ["no region file", "{}", /^: must be a GeoJSON FeatureCollection$/],
    ["with one problem", collection("a", "b"), /^: "a" and "b" overlap, [^\n]+$/],
    [
      "with several problems",
      collection("A", "B"),
      /^: features\[0\] "A": name must be [^\n]+ \(and 1 more: npm run -s bimctl -- regions check\)$/,
    ],
  ])("%s", async (_what, text, words) => {
    await using folder = await tempFolder();
    const path = folder.file("regions.geojson");
    await writeFile(path, text);
    const error = await regionsOf({ BIMRIDE_REGIONS_FILE: path }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(EngineError);
    const start = `regions.file: ${path}`;
    expect((error as Error).message.slice(0, start.length)).toBe(start);
    expect((error as Error).message.slice(start.length)).toMatch(words);
  });

  test("missing, or a folder", async () => {
    await using folder = await tempFolder();
    const path = folder.file("regions.geojson");
    const line = new RegExp(`^regions\\.file: ${path} can't be read: [^\\n]+$`);
    await expect(regionsOf({ BIMRIDE_REGIONS_FILE: path })).rejects.toThrow(line);
    await mkdir(path);
    await expect(regionsOf({ BIMRIDE_REGIONS_FILE: path })).rejects.toThrow(line);
  });
});
