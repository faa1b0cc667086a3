import type { Client } from "cassandra-driver";
import { EngineError } from "../core/engine-error.ts";
import type { CassandraOptions } from "./options.ts";

/** Oldest Cassandra that the engines work with: its major version. */
const OLDEST_MAJOR = 4;

/** The server's version. Rejects with an EngineError when it is too old. */
export async function checkVersion(
  client: Pick<Client, "execute">,
  { contactPoints }: CassandraOptions,
): Promise<string> {
  const local = await client.execute("SELECT release_version FROM system.local");
  const version = String(local.first()?.release_version ?? "");
  if (Number.parseInt(version, 10) >= OLDEST_MAJOR) return version;
  // ScyllaDB calls itself Cassandra 3.0.8 and has a table that Cassandra has not.
  const scylla = await client.execute(
    "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'system' AND table_name = 'versions'",
  );
  if (scylla.rowLength > 0) return version;
  throw new EngineError(
    "cassandra.contact_points",
    `the Cassandra at ${contactPoints.join(", ")} is too old: ${version}, needed is ${OLDEST_MAJOR}.0 or newer`,
  );
}
