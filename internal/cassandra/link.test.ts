import { randomBytes } from "node:crypto";
import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { CASSANDRA_DATA_CENTER } from "../../test/kit/engines/cassandra.ts";
import { freePort } from "../../test/kit/engines/free-port.ts";
import { sharedEngines } from "../../test/kit/engines/shared.ts";
import { EngineError } from "../core/engine-error.ts";
import { connectCassandra } from "./link.ts";
import { migrate } from "./migrate.ts";
import type { CassandraOptions } from "./options.ts";
import { readMigrations } from "./schema.ts";
import { checkVersion } from "./server-version.ts";

function options(): CassandraOptions {
  return {
    contactPoints: [sharedEngines().cassandra],
    localDataCenter: CASSANDRA_DATA_CENTER,
    keyspace: `link_${randomBytes(6).toString("hex")}`,
  };
}

/** What connecting fails with; it names the setting and no secrets. */
async function trouble(given: CassandraOptions): Promise<string> {
  const error = await connectCassandra(given).then(
    async (link) => {
      await link[Symbol.asyncDispose]();
      return undefined;
    },
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(EngineError);
  const { message } = error as EngineError;
  expect(message).not.toContain("\n");
  return message;
}

/** A migrated keyspace of its own, dropped at the end. */
async function migrated() {
  const given = options();
  const lines: string[] = [];
  await migrate(given, { replication: 1, print: (line) => lines.push(line) });
  const link = await connectCassandra(given);
  return {
    given,
    link,
    lines,
    async [Symbol.asyncDispose]() {
      await link.client.execute(`DROP KEYSPACE ${given.keyspace}`);
      await link[Symbol.asyncDispose]();
    },
  };
}

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
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = silent.address() as { port: number };
      const startedMs = performance.now();
      const given = { ...options(), contactPoints: [`127.0.0.1:${port}`] };
      expect(await trouble(given)).toContain("cassandra.contact_points: ");
      expect(performance.now() - startedMs).toBeLessThan(12_000);
    } finally {
      silent.close();
    }
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
    await using space = await migrated();
    await space.link.client.execute("DROP TABLE schema_migrations");
    expect(await trouble(space.given)).toBe(
      `cassandra.keyspace: ${space.given.keyspace} has no tables of ours yet: ${migrateCommand}`,
    );
  });

  test("a schema that is older or newer than the code is told which", async () => {
    await using space = await migrated();
    const known = await readMigrations();
    const { keyspace } = space.given;
    const record =
      "INSERT INTO schema_migrations (scope, version, name, checksum) VALUES ('bimride', ?, ?, ?)";
    await space.link.execute(record, [known.length + 1, "9999-later.cql", "x"]);
    expect(await trouble(space.given)).toBe(
      `cassandra.keyspace: the schema of ${keyspace} is newer (${known.length + 1}) than this build (${known.length}): update it`,
    );
    await space.link.execute("DELETE FROM schema_migrations WHERE scope = 'bimride' AND version >= ?", [2]);
    if (known.length > 1)
      expect(await trouble(space.given)).toContain(
        `the schema of ${keyspace} is older (1) than this build (${known.length}): run`,
      );
    await space.link.execute(record, [1, "0001-history.cql", "other"]);
    expect(await trouble(space.given)).toContain("got 0001-history.cql with another content");
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
    await using space = await migrated();
    const ask = () => space.link.execute("SELECT release_version FROM system.local", []);
    const results = await Promise.allSettled(Array.from({ length: 10_000 }, ask));
    const refused = results.filter((result) => result.status === "rejected");
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect((await ask()).rowLength).toBe(1);
  });

  test("once closed, refuses with STORE_UNAVAILABLE", async () => {
    await using space = await migrated();
    const link = await connectCassandra(space.given);
    expect(link.connected).toBe(true);
    await link[Symbol.asyncDispose]();
    expect(link.connected).toBe(false);
    await expect(link.execute("SELECT release_version FROM system.local", [])).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
  });
});
