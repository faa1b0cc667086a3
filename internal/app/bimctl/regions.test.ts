import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { tempFolder } from "../../../test/kit/temp-folder.ts";
import { UsageError } from "./command.ts";
import { regionsCommand } from "./regions.ts";

const EXAMPLE = new URL("../../../examples/regions.geojson", import.meta.url).pathname;

async function regions(args: string[], env: Record<string, string> = {}) {
  const printed: string[] = [];
  const complained: string[] = [];
  const code = await regionsCommand.run(args, {
    env,
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
    nowMs: () => 0,
  });
  return { code, printed, complained };
}

describe("regions check", () => {
  test("sums up the example and ends well", async () => {
    const { code, printed, complained } = await regions(["check", EXAMPLE]);
    expect(complained).toEqual([]);
    expect(printed).toEqual([
      "north: 1 polygon of 12 points; engines as set",
      "south (default): 1 polygon of 14 points; engines as set",
      "ok: 2 regions",
    ]);
    expect(code).toBe(0);
  });

  test("names every problem with its file and fails", async () => {
    await using folder = await tempFolder();
    const path = folder.file("regions.geojson");
    const feature = { type: "Feature", properties: { name: "No!" }, geometry: null };
    await writeFile(path, JSON.stringify({ type: "FeatureCollection", features: [feature] }));
    const { code, printed, complained } = await regions(["check", path]);
    expect(code).toBe(1);
    expect(printed).toEqual([]);
    expect(complained.length).toBeGreaterThan(1);
    for (const line of complained) expect(line.startsWith(`${path}: `)).toBe(true);
  });

  test("says when the file can't be read", async () => {
    const { code, complained } = await regions(["check", "/nowhere/regions.geojson"]);
    expect(code).toBe(1);
    expect(complained.join()).toContain("can't be read");
  });

  test("takes the file of the settings when none is given, and is content with one region", async () => {
    const { printed } = await regions(["check"], { BIMRIDE_REGIONS_FILE: EXAMPLE });
    expect(printed.at(-1)).toBe("ok: 2 regions");
    expect(await regions(["check"])).toMatchObject({
      code: 0,
      printed: [expect.stringContaining("one region")],
    });
  });

  test("names the setting where the file is the settings' own", async () => {
    const path = "/nowhere/regions.geojson";
    const { code, complained } = await regions(["check"], { BIMRIDE_REGIONS_FILE: path });
    expect(code).toBe(1);
    expect(complained).toEqual([expect.stringContaining(`regions.file: ${path} can't be read`)]);
  });

  test("goes by the settings where a region doesn't say its keyspace or data centre", async () => {
    await using folder = await tempFolder();
    const path = folder.file("regions.geojson");
    const file = JSON.parse(await readFile(EXAMPLE, "utf8"));
    file.features[0].properties.cassandraLocalDc = "oslo";
    await writeFile(path, JSON.stringify(file));
    expect((await regions(["check", path], { BIMRIDE_CASSANDRA_LOCAL_DC: "oslo" })).code).toBe(0);
    const { code, complained } = await regions(["check", path], { BIMRIDE_CASSANDRA_KEYSPACE: "k" });
    expect(code).toBe(1);
    expect(complained).toEqual([
      expect.stringContaining(
        'the keyspace k is of several data centres: "north" in oslo, "south" in datacenter1',
      ),
    ]);
  });

  test.each([[[]], [["draw", "x"]], [["check", "a", "b"]]])("doesn't understand %j", async (args) => {
    await expect(regions(args)).rejects.toThrow(UsageError);
  });
});
