import { randomBytes } from "node:crypto";
import { CASSANDRA_DATA_CENTER } from "../../test/kit/engines/cassandra.ts";
import { sharedEngines } from "../../test/kit/engines/shared.ts";
import { type CassandraLink, connectCassandra } from "./link.ts";
import { migrate } from "./migrate.ts";
import type { CassandraOptions } from "./options.ts";

/** Dropping and emptying tables takes longer than what an engine does. */
export const PATIENT = { readTimeout: 60_000, prepare: false };

/** How to reach a Cassandra of the test kit, by default the shared one. */
export function testCassandra(keyspace: string, address = sharedEngines().cassandra): CassandraOptions {
  return { contactPoints: [address], localDataCenter: CASSANDRA_DATA_CENTER, keyspace };
}

/** A keyspace in the shared Cassandra that no other test has; it is yet to be made. */
export function freshKeyspace(name: string): CassandraOptions {
  return testCassandra(`${name}_${randomBytes(6).toString("hex")}`);
}

/** Makes the keyspace with its tables, and connects to it. */
export async function migratedLink(options: CassandraOptions): Promise<CassandraLink> {
  await migrate(options, { replication: 1, print: () => undefined });
  return connectCassandra(options);
}

/** A keyspace of its own in the shared Cassandra, with its tables and a link to it; dropped at the end. */
export async function migratedKeyspace(name: string) {
  const options = freshKeyspace(name);
  const link = await migratedLink(options);
  return {
    options,
    link,
    async [Symbol.asyncDispose]() {
      await link.client.execute(`DROP KEYSPACE ${options.keyspace}`, [], PATIENT);
      await link[Symbol.asyncDispose]();
    },
  };
}
