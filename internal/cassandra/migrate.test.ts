import { writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import type { types } from "cassandra-driver";
import { describe, expect, test } from "vitest";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { newClient } from "./driver.ts";
import { freshKeyspace } from "./kit.ts";
import { migrate } from "./migrate.ts";
import { readMigrations } from "./schema.ts";

/** A keyspace's name and a folder of numbered files of its own. */
async function world() {
  const folder = await tempFolder();
  const given = freshKeyspace("migrate");
  const client = newClient(given, undefined);
  await client.connect();
  const lines: string[] = [];
  return {
    lines,
    write: (name: string, text: string) => writeFile(folder.file(name), text),
    run: (retentionMs?: number) =>
      migrate(given, {
        replication: 1,
        retentionMs,
        folder: pathToFileURL(`${folder.file(".")}/`),
        print: (line) => lines.push(line.replace(`${given.keyspace}: `, "")),
      }),
    rows: async (cql: string) => (await client.execute(cql.replaceAll("KS", given.keyspace))).rows,
    async [Symbol.asyncDispose]() {
      await client.execute(`DROP KEYSPACE IF EXISTS ${given.keyspace}`);
      await client.shutdown();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const TABLE = (name: string) => `-- A table.\nCREATE TABLE IF NOT EXISTS ${name} (id int PRIMARY KEY);\n`;
const TABLES = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'KS'";
const tableNames = (rows: types.Row[]) => rows.map((row) => row.table_name);

describe("migrate", () => {
  test("makes the keyspace, applies each file once, and says what it did", async () => {
    await using here = await world();
    await here.write("0001-a.cql", TABLE("a") + TABLE("b"));
    await here.run();
    await here.write("0002-c.cql", TABLE("c"));
    await here.run();
    await here.run();
    expect(here.lines).toEqual([
      "keyspace made, 1 × in datacenter1",
      "applied 0001-a.cql",
      "applied 0002-c.cql",
      "nothing to do, schema 2",
    ]);
    expect(tableNames(await here.rows(TABLES))).toEqual(["a", "b", "c", "schema_lock", "schema_migrations"]);
  });

  test("two runs at once apply each file once", async () => {
    await using here = await world();
    await here.write("0001-a.cql", TABLE("a"));
    await here.write("0002-b.cql", TABLE("b"));
    await Promise.all([here.run(), here.run()]);
    expect(here.lines.filter((line) => line.startsWith("applied")).sort()).toEqual([
      "applied 0001-a.cql",
      "applied 0002-b.cql",
    ]);
    const rows = await here.rows("SELECT version, name FROM KS.schema_migrations");
    expect(rows.map(({ version, name }) => [version, name])).toEqual([
      [1, "0001-a.cql"],
      [2, "0002-b.cql"],
    ]);
  });

  test("goes on where a run was cut off in the middle of a file", async () => {
    await using here = await world();
    await here.write("0001-a.cql", `${TABLE("a")}CREATE TABEL IF NOT EXISTS b (id int PRIMARY KEY);\n`);
    await expect(here.run()).rejects.toThrow();
    expect(tableNames(await here.rows(TABLES))).toContain("a");
    await here.write("0001-a.cql", TABLE("a") + TABLE("b"));
    await here.run();
    expect(tableNames(await here.rows(TABLES))).toContain("b");
    expect(here.lines.at(-1)).toBe("applied 0001-a.cql");
  });

  test("refuses an applied file that was changed", async () => {
    await using here = await world();
    await here.write("0001-a.cql", TABLE("a"));
    await here.run();
    await here.write("0001-a.cql", TABLE("a2"));
    await expect(here.run()).rejects.toThrow(
      /^cassandra\.keyspace: .* got 0001-a\.cql with another content than this build's 0001-a\.cql/,
    );
    expect(tableNames(await here.rows(TABLES))).not.toContain("a2");
  });

  test("sets the retention of tables with time windows, and changes it", async () => {
    await using here = await world();
    const windows =
      "WITH compaction = {'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'DAYS'}";
    await here.write(
      "0001-a.cql",
      `CREATE TABLE IF NOT EXISTS a (id int PRIMARY KEY) ${windows};\n${TABLE("b")}`,
    );
    const ttls = async () => {
      const rows = await here.rows(
        "SELECT table_name, default_time_to_live FROM system_schema.tables WHERE keyspace_name = 'KS'",
      );
      return rows.slice(0, 2).map((row) => row.default_time_to_live);
    };
    await here.run();
    expect(await ttls()).toEqual([2_592_000, 0]);
    await here.run(90 * 86_400_000);
    expect(await ttls()).toEqual([7_776_000, 0]);
    expect(here.lines.at(-1)).toBe("a keeps rows for 7776000 s");
  });

  test("every statement of the schema can be repeated and is not of Cassandra 5 alone", async () => {
    for (const { name, statements } of await readMigrations())
      for (const statement of statements) {
        expect(statement, name).toMatch(/^(CREATE (TABLE|TYPE)|ALTER TABLE \w+ ADD) IF NOT EXISTS /);
        expect(statement, name).not.toMatch(
          /MATERIALIZED|\bSAI\b|StorageAttached|UnifiedCompaction|\bvector\b/i,
        );
      }
  });
});
