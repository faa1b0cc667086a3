import { randomBytes } from "node:crypto";
import type { types } from "cassandra-driver";
import { CASSANDRA_DATA_CENTER } from "../../../test/kit/engines/cassandra.ts";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import { type CassandraLink, connectCassandra } from "../../cassandra/link.ts";
import { migrate } from "../../cassandra/migrate.ts";
import { BimrideError } from "../../core/errors.ts";
import type { Trips } from "../trips.ts";
import { type CassandraTripsOptions, openCassandraTrips } from "./trips.ts";

const TABLES = [
  ...["trips", "trips_by_rider", "trips_by_driver", "trips_by_hour"],
  ...["trip_of_driver", "trip_of_key", "trip_outbox", "trip_buckets"],
];
/** Dropping and emptying tables takes longer than what the engine does. */
const PATIENT = { readTimeout: 60_000, prepare: false };
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
    /** Removes everything in it. */
    async empty() {
      await Promise.all(TABLES.map((table) => link.client.execute(`TRUNCATE ${table}`, [], PATIENT)));
    },
    async rows(cql: string, over: CassandraLink = link) {
      return (await over.execute(cql, [])).rows;
    },
    async [Symbol.asyncDispose]() {
      await link.client.execute(`DROP KEYSPACE ${options.keyspace}`, [], PATIENT);
      await link[Symbol.asyncDispose]();
    },
  };
}

/** What to do about the nth statement (from 0): `run` sends it. */
export type Intercept = (
  n: number,
  run: () => Promise<types.ResultSet>,
  cql: string,
) => Promise<types.ResultSet>;

/** The link with every statement given to the function first. */
export function intercepted(link: CassandraLink, intercept: Intercept): CassandraLink {
  let count = 0;
  return {
    client: link.client,
    keyspace: link.keyspace,
    serverVersion: link.serverVersion,
    get connected() {
      return link.connected;
    },
    execute: (cql, ...rest) => intercept(count++, () => link.execute(cql, ...rest), cql),
    batch: (statements, ...rest) =>
      intercept(count++, () => link.batch(statements, ...rest), statements[0]!.query),
    async [Symbol.asyncDispose]() {},
  };
}

/** What a statement rejects with when its answer does not come. */
export function lost(): BimrideError {
  return new BimrideError("STORE_UNAVAILABLE");
}
