import { randomBytes } from "node:crypto";
import { CASSANDRA_DATA_CENTER } from "../../../test/kit/engines/cassandra.ts";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import { type CassandraLink, connectCassandra } from "../../cassandra/link.ts";
import { migrate } from "../../cassandra/migrate.ts";
import type { Trips } from "../trips.ts";
import { type CassandraTripsOptions, openCassandraTrips } from "./trips.ts";

const RETENTION_MS = 30 * 86_400_000;

/** A keyspace of its own in the shared Cassandra. */
export async function tripsKeyspace() {
  const options = {
    contactPoints: [sharedEngines().cassandra],
    localDataCenter: CASSANDRA_DATA_CENTER,
    keyspace: `trips_${randomBytes(6).toString("hex")}`,
  };
  await migrate(options, { replication: 1, print: () => undefined });
  const link = await connectCassandra(options);
  return {
    options,
    link,
    /** One more instance on it. */
    open: (more: Partial<CassandraTripsOptions> = {}): Promise<Trips> =>
      openCassandraTrips({ link, retentionMs: RETENTION_MS, ...more }),
    async rows(cql: string, over: CassandraLink = link) {
      return (await over.execute(cql, [])).rows;
    },
    async [Symbol.asyncDispose]() {
      await link.client.execute(`DROP KEYSPACE ${options.keyspace}`);
      await link[Symbol.asyncDispose]();
    },
  };
}
