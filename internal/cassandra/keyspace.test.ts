import { errors, types } from "cassandra-driver";
import { describe, expect, test } from "vitest";
import { prepareKeyspace } from "./keyspace.ts";
import type { CassandraOptions } from "./options.ts";

const OPTIONS: CassandraOptions = {
  contactPoints: ["127.0.0.1:9042"],
  localDataCenter: "datacenter1",
  keyspace: "bimride",
};

/** What a server's system tables say; no ScyllaDB is at hand, so it is told here in its documentation's words. */
type Server = {
  knowsTablets?: boolean;
  keyspace?: boolean;
  initialTablets?: number | null;
  refusal?: number;
};

/** Prepares the keyspace on such a server: the statements that change its schema. */
async function prepared({ knowsTablets, keyspace, initialTablets, refusal }: Server) {
  const changes: string[] = [];
  const rows = (...found: object[]) => ({ rowLength: found.length, first: () => found[0] ?? null });
  const execute = async (cql: string) => {
    if (cql.includes("system_schema.columns")) return knowsTablets ? rows({}) : rows();
    if (cql.includes("scylla_keyspaces"))
      return initialTablets === undefined ? rows() : rows({ initial_tablets: initialTablets });
    if (cql.includes("system_schema.keyspaces"))
      return keyspace
        ? rows({ replication: { class: "NetworkTopologyStrategy", datacenter1: "1" } })
        : rows();
    if (refusal !== undefined && cql.startsWith("CREATE KEYSPACE"))
      throw new errors.ResponseError(refusal, "words of the server");
    changes.push(cql);
    return { info: { isSchemaInAgreement: true } };
  };
  const node = { address: "127.0.0.1:9042", datacenter: "datacenter1", isUp: () => true };
  const client = { execute, hosts: { values: () => [node] } };
  await prepareKeyspace(client as unknown as Parameters<typeof prepareKeyspace>[0], OPTIONS, {
    replication: 1,
    print: () => {},
  });
  return changes;
}

const REPLICATION = "WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}";

describe("the keyspace", () => {
  test("is made without tablets where the server knows them, and without the word elsewhere", async () => {
    const [onScylla] = await prepared({ knowsTablets: true });
    expect(onScylla).toBe(
      `CREATE KEYSPACE IF NOT EXISTS bimride ${REPLICATION} AND tablets = {'enabled': false}`,
    );
    const [onCassandra] = await prepared({});
    expect(onCassandra).toBe(`CREATE KEYSPACE IF NOT EXISTS bimride ${REPLICATION}`);
  });

  test.each([0, 8])("that has tablets (%i) is refused in one line, and nothing is made", async (count) => {
    await expect(prepared({ knowsTablets: true, keyspace: true, initialTablets: count })).rejects.toThrow(
      /^cassandra\.keyspace: bimride has ScyllaDB's tablets, .*$/,
    );
  });

  test.each([undefined, null])("of ScyllaDB that has none (%s) is taken", async (initialTablets) => {
    const changes = await prepared({ knowsTablets: true, keyspace: true, initialTablets });
    expect(changes.map((cql) => cql.split("\n")[0])).toEqual([
      "CREATE TABLE IF NOT EXISTS bimride.schema_migrations",
      "CREATE TABLE IF NOT EXISTS bimride.schema_lock (name text PRIMARY KEY, owner text)",
    ]);
  });

  test("that ScyllaDB makes with tablets only names what to look at", async () => {
    const { configError, unauthorized } = types.responseErrorCodes;
    await expect(prepared({ knowsTablets: true, refusal: configError })).rejects.toThrow(
      /^cassandra\.keyspace: ScyllaDB does not make bimride without tablets: see its tablets_mode_/,
    );
    await expect(prepared({ knowsTablets: true, refusal: unauthorized })).rejects.toThrow(
      "words of the server",
    );
  });
});
