import { describe, expect, test } from "vitest";
import { freePort } from "../../test/kit/engines/free-port.ts";
import { fakeServer } from "../../test/kit/fake-server.ts";
import { problemOf } from "../../test/kit/problem-of.ts";
import { freshKeyspace, migratedKeyspace } from "./kit.ts";
import { connectCassandra } from "./link.ts";
import type { CassandraOptions } from "./options.ts";
import { readMigrations } from "./schema.ts";
import { checkVersion } from "./server-version.ts";

const options = () => freshKeyspace("link");

const trouble = (given: CassandraOptions, withinMs = 60_000) => problemOf(connectCassandra(given), withinMs);

describe("connecting to Cassandra", () => {
  test("an address where nobody answers is named", async () => {
    const port = await freePort("127.0.0.1");
    const given = { ...options(), contactPoints: [`127.0.0.1:${port}`] };
    expect(await trouble(given)).toBe(`cassandra.contact_points: no Cassandra answers at 127.0.0.1:${port}`);
    expect(await trouble({ ...given, contactPoints: ["no-such-host.invalid:9042"] })).toContain(
      "cassandra.contact_points: no Cassandra answers at no-such-host.invalid:9042",
    );
  });

  test("a server that takes the connection and says nothing is given up", { timeout: 20_000 }, async () => {
    using silent = await fakeServer();
    const given = { ...options(), contactPoints: [silent.address] };
    expect(await trouble(given, 12_000)).toContain("cassandra.contact_points: ");
  });

  test("a data centre without nodes is named", async () => {
    expect(await trouble({ ...options(), localDataCenter: "elsewhere" })).toMatch(
      /^cassandra\.local_dc: .* has no node in the data centre elsewhere$/,
    );
  });

  test("a node without TLS is named", async () => {
    expect(await trouble({ ...options(), tls: {} })).toMatch(/^cassandra\.tls: .* offers no TLS/);
  });

  test("a missing keyspace and one without tables say what to run", async () => {
    const given = options();
    const migrateCommand = "run `npm run -s bimctl -- migrate`";
    expect(await trouble(given)).toMatch(
      new RegExp(`^cassandra\\.keyspace: there is no keyspace ${given.keyspace} at .*: ${migrateCommand}$`),
    );
    await using space = await migratedKeyspace("link");
    await space.link.client.execute("DROP TABLE schema_migrations");
    expect(await trouble(space.options)).toBe(
      `cassandra.keyspace: ${space.options.keyspace} has no tables of ours yet: ${migrateCommand}`,
    );
  });

  test("a schema that is older or newer than the code is told which", async () => {
    await using space = await migratedKeyspace("link");
    const known = await readMigrations();
    const { keyspace } = space.options;
    const record =
      "INSERT INTO schema_migrations (scope, version, name, checksum) VALUES ('bimride', ?, ?, ?)";
    await space.link.execute(record, [known.length + 1, "9999-later.cql", "x"]);
    expect(await trouble(space.options)).toBe(
      `cassandra.keyspace: the schema of ${keyspace} is newer (${known.length + 1}) than this build (${known.length}): update it`,
    );
    await space.link.execute("DELETE FROM schema_migrations WHERE scope = 'bimride' AND version >= ?", [2]);
    if (known.length > 1)
      expect(await trouble(space.options)).toContain(
        `the schema of ${keyspace} is older (1) than this build (${known.length}): run`,
      );
    await space.link.execute(record, [1, "0001-history.cql", "other"]);
    expect(await trouble(space.options)).toContain("got 0001-history.cql with another content");
  });

  test("a Cassandra before 4.0 is refused, ScyllaDB by its own table is not", async () => {
    const server = (release: string, tables: number) => ({
      execute: async (cql: string) =>
        cql.includes("system.local")
          ? { first: () => ({ release_version: release }) }
          : { rowLength: tables },
    });
    const check = (release: string, tables = 0) =>
      checkVersion(server(release, tables) as unknown as Parameters<typeof checkVersion>[0], options());
    await expect(check("3.11.14")).rejects.toThrow(
      /^cassandra\.contact_points: .* is too old: 3\.11\.14, needed is 4\.0 or newer$/,
    );
    expect(await check("4.0.0")).toBe("4.0.0");
    expect(await check("5.0.6")).toBe("5.0.6");
    expect(await check("3.0.8", 1)).toBe("3.0.8");
  });
});

describe("a link to Cassandra", () => {
  test("refuses what comes faster than it can go, and works on", async () => {
    await using space = await migratedKeyspace("link");
    const ask = () => space.link.execute("SELECT release_version FROM system.local", []);
    const results = await Promise.allSettled(Array.from({ length: 10_000 }, ask));
    const refused = results.filter((result) => result.status === "rejected");
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect((await ask()).rowLength).toBe(1);
  });

  test("once closed, refuses with STORE_UNAVAILABLE", async () => {
    await using space = await migratedKeyspace("link");
    const link = await connectCassandra(space.options);
    expect(link.connected).toBe(true);
    await link[Symbol.asyncDispose]();
    expect(link.connected).toBe(false);
    await expect(link.execute("SELECT release_version FROM system.local", [])).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
  });
});
