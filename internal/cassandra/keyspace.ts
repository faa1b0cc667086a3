import { type Client, errors, types } from "cassandra-driver";
import { EngineError } from "../core/engine-error.ts";
import type { CassandraOptions } from "./options.ts";
import { changeSchema, firstHost } from "./schema-change.ts";
import { knowsTablets, refuseTablets } from "./tablets.ts";

type Server = Pick<Client, "execute" | "hosts">;

export type KeyspaceOptions = {
  /** Copies of each row in the data centre; only used when the keyspace is made. */
  replication: number;
  /** Gets a line for everything that is done. */
  print(line: string): void;
};

/** Makes the keyspace when missing, and in it what migrations need. Rejects as {@link hasKeyspace} does. */
export async function prepareKeyspace(
  client: Server,
  options: CassandraOptions,
  how: KeyspaceOptions,
): Promise<void> {
  const { keyspace, localDataCenter } = options;
  const host = firstHost(client, localDataCenter);
  if (!(await hasKeyspace(client, options, how))) {
    const replication = `{'class': 'NetworkTopologyStrategy', '${localDataCenter}': ${how.replication}}`;
    const make = `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = ${replication}`;
    if (await knowsTablets(client))
      await changeSchema(client, host, `${make} AND tablets = {'enabled': false}`).catch((cause) => {
        throw withoutTablets(keyspace, cause);
      });
    else await changeSchema(client, host, make);
    how.print(`${keyspace}: keyspace made, ${how.replication} × in ${localDataCenter}`);
  }
  await changeSchema(
    client,
    host,
    `CREATE TABLE IF NOT EXISTS ${keyspace}.schema_migrations
      (scope text, version int, name text, checksum text, applied_at timestamp, PRIMARY KEY (scope, version))`,
  );
  await changeSchema(
    client,
    host,
    `CREATE TABLE IF NOT EXISTS ${keyspace}.schema_lock (name text PRIMARY KEY, owner text)`,
  );
}

/**
 * Whether the keyspace is there. Rejects when it has no copies in the data centre or has tablets, or when the data
 * centre has fewer nodes than it is to have copies: what was made could not be written to then.
 */
export async function hasKeyspace(
  client: Server,
  { keyspace, localDataCenter }: CassandraOptions,
  { replication }: Pick<KeyspaceOptions, "replication">,
): Promise<boolean> {
  const found = await client.execute(
    "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?",
    [keyspace],
  );
  const copies = found.first()?.replication as Record<string, string> | undefined;
  if (copies?.class?.endsWith("NetworkTopologyStrategy") && !Number(copies[localDataCenter]))
    throw new EngineError("cassandra.local_dc", `${keyspace} has no copies in ${localDataCenter}`);
  if (copies) await refuseTablets(client, keyspace);
  const nodes = client.hosts.values().filter((host) => host.datacenter === localDataCenter).length;
  if (!copies && nodes < replication)
    throw new EngineError(
      "cassandra.replication",
      `${replication} copies need as many nodes, ${localDataCenter} has ${nodes}`,
    );
  return copies !== undefined;
}

/** What it means that ScyllaDB did not make the keyspace: with tablets enforced, it makes none without. */
function withoutTablets(keyspace: string, cause: unknown): unknown {
  const { configError, invalid } = types.responseErrorCodes;
  if (!(cause instanceof errors.ResponseError) || ![configError, invalid].includes(cause.code)) return cause;
  return new EngineError(
    "cassandra.keyspace",
    `ScyllaDB does not make ${keyspace} without tablets: see its tablets_mode_for_new_keyspaces`,
    { cause },
  );
}
