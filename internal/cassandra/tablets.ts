import type { Client } from "cassandra-driver";
import { EngineError } from "../core/engine-error.ts";

/**
 * Whether the server can spread a keyspace by tablets, as ScyllaDB does since 6.0 with each new one by default. Its
 * conditional statements, which trips and migrations are made of, are not supported there up to 2025.3
 * (docs.scylladb.com/manual/branch-2025.3/features/lwt.html); later manuals no longer say so. Cassandra has none.
 */
export async function knowsTablets(client: Pick<Client, "execute">): Promise<boolean> {
  const column = await client.execute(
    `SELECT column_name FROM system_schema.columns
      WHERE keyspace_name = 'system_schema' AND table_name = 'scylla_keyspaces' AND column_name = 'initial_tablets'`,
  );
  return column.rowLength > 0;
}

/** Rejects with an EngineError when the keyspace was made with tablets, which no ALTER turns off. */
export async function refuseTablets(client: Pick<Client, "execute">, keyspace: string): Promise<void> {
  if (!(await knowsTablets(client))) return;
  const found = await client.execute(
    "SELECT initial_tablets FROM system_schema.scylla_keyspaces WHERE keyspace_name = ?",
    [keyspace],
  );
  // 0 is tablets too, as many as the server likes; a keyspace without them has no number, or no row.
  if (typeof found.first()?.initial_tablets !== "number") return;
  throw new EngineError(
    "cassandra.keyspace",
    `${keyspace} has ScyllaDB's tablets, which conditional statements don't work with: drop it, or name another one, and let migrate make it`,
  );
}
