import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { freePort } from "../../../test/kit/engines/free-port.ts";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import { tempFolder } from "../../../test/kit/temp-folder.ts";
import { newClient } from "../../cassandra/driver.ts";
import { readMigrations } from "../../cassandra/schema.ts";
import { runBimctl } from "./bimctl.ts";

/** Keyspaces with a common beginning of their own, dropped at the end. */
async function world() {
  const prefix = `bimctl_${randomBytes(6).toString("hex")}`;
  const contactPoints = [sharedEngines().cassandra];
  const client = newClient({ contactPoints, localDataCenter: "datacenter1", keyspace: "" }, undefined);
  await client.connect();
  const keyspaces = async (): Promise<string[]> => {
    const { rows } = await client.execute("SELECT keyspace_name FROM system_schema.keyspaces");
    return rows.map(({ keyspace_name }) => keyspace_name).filter((name) => name.startsWith(prefix));
  };
  return {
    prefix,
    keyspaces,
    async tables(keyspace: string): Promise<string[]> {
      const query = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?";
      return (await client.execute(query, [keyspace])).rows.map(({ table_name }) => table_name);
    },
    async migrate(env: Record<string, string> = {}, args: string[] = []) {
      const printed: string[] = [];
      const complained: string[] = [];
      const code = await runBimctl(["migrate", ...args], {
        env: {
          BIMRIDE_CASSANDRA_CONTACT_POINTS: contactPoints.join(","),
          BIMRIDE_CASSANDRA_KEYSPACE: prefix,
          ...env,
        },
        print: (line) => printed.push(line),
        complain: (line) => complained.push(line),
        nowMs: () => Date.now(),
      });
      return { code, printed, complained };
    },
    async [Symbol.asyncDispose]() {
      for (const name of await keyspaces()) await client.execute(`DROP KEYSPACE ${name}`);
      await client.shutdown();
    },
  };
}

const square = (west: number) => [
  [west, 57],
  [west + 1, 57],
  [west + 1, 58],
  [west, 58],
  [west, 57],
];

function regionFile(...regions: Record<string, unknown>[]): string {
  const features = regions.map((properties, i) => ({
    type: "Feature",
    properties: { ...properties, default: i === 0 },
    geometry: { type: "Polygon", coordinates: [square(10 + 2 * i)] },
  }));
  return JSON.stringify({ type: "FeatureCollection", features });
}

describe("bimctl migrate", () => {
  test("makes keyspace and tables, says each step in a line, and has nothing to do the second time", async () => {
    await using here = await world();
    const { code, printed, complained } = await here.migrate();
    expect({ code, complained }).toEqual({ code: 0, complained: [] });
    const names = (await readMigrations()).map(({ name }) => name);
    expect(printed).toEqual([
      `${here.prefix}: keyspace made, 1 × in datacenter1`,
      ...names.map((name) => `${here.prefix}: applied ${name}`),
    ]);
    expect(await here.tables(here.prefix)).toEqual(expect.arrayContaining(["track_chunks", "trips"]));
    expect(await here.migrate()).toEqual({
      code: 0,
      printed: [`${here.prefix}: nothing to do, schema ${names.length}`],
      complained: [],
    });
  });

  test("changes how long rows are kept with the setting, and not of what is no time window", async () => {
    await using here = await world();
    await here.migrate();
    const { printed } = await here.migrate({ BIMRIDE_HISTORY_RETENTION_MS: String(60 * 86_400_000) });
    expect(printed.slice(1)).toEqual(
      ["track_chunks", "trip_events", "trip_final"].map(
        (table) => `${here.prefix}: ${table} keeps rows for 5184000 s`,
      ),
    );
  });

  test("migrates every keyspace that the regions name, once", async () => {
    await using here = await world();
    await using folder = await tempFolder();
    const file = folder.file("regions.geojson");
    const north = `${here.prefix}_north`;
    await writeFile(
      file,
      regionFile({ name: "north", cassandraKeyspace: north }, { name: "south" }, { name: "east" }),
    );
    const { code, printed } = await here.migrate({ BIMRIDE_REGIONS_FILE: file });
    expect(code).toBe(0);
    expect(printed.filter((line) => line.includes("keyspace made"))).toEqual([
      `${north}: keyspace made, 1 × in datacenter1`,
      `${here.prefix}: keyspace made, 1 × in datacenter1`,
    ]);
    expect((await here.keyspaces()).sort()).toEqual([here.prefix, north]);
  });

  test("makes nothing anywhere when one region's Cassandra can't be reached", async () => {
    await using here = await world();
    await using folder = await tempFolder();
    const file = folder.file("regions.geojson");
    const nobody = `127.0.0.1:${await freePort("127.0.0.1")}`;
    await writeFile(file, regionFile({ name: "north" }, { name: "south", cassandraContactPoints: [nobody] }));
    expect(await here.migrate({ BIMRIDE_REGIONS_FILE: file })).toEqual({
      code: 1,
      printed: [],
      complained: [`cassandra.contact_points: no Cassandra answers at ${nobody}`],
    });
    expect(await here.keyspaces()).toEqual([]);
  });

  test.each([
    ["cassandra.local_dc", { BIMRIDE_CASSANDRA_LOCAL_DC: "elsewhere" }],
    ["cassandra.tls", { BIMRIDE_CASSANDRA_TLS: "true" }],
    ["cassandra.password_file", { BIMRIDE_CASSANDRA_PASSWORD_FILE: "/nowhere/password" }],
    ["cassandra.ca_file", { BIMRIDE_CASSANDRA_TLS: "true", BIMRIDE_CASSANDRA_CA_FILE: "/nowhere/ca.pem" }],
    ["cassandra.replication", { BIMRIDE_CASSANDRA_REPLICATION: "3" }],
    ["regions.file", { BIMRIDE_REGIONS_FILE: "/nowhere/regions.geojson" }],
  ])("trouble with %s is one line that names it, and nothing is made", async (setting, env) => {
    await using here = await world();
    const { code, printed, complained } = await here.migrate(env);
    expect({ code, printed }).toEqual({ code: 1, printed: [] });
    expect(complained).toEqual([expect.stringMatching(new RegExp(`^${setting}: [^\n]+$`))]);
    expect(await here.keyspaces()).toEqual([]);
  });
});
