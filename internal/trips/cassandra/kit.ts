import type { types } from "cassandra-driver";
import { migratedKeyspace, PATIENT } from "../../cassandra/kit.ts";
import type { CassandraLink } from "../../cassandra/link.ts";
import { BimrideError } from "../../core/errors.ts";
import type { Trips } from "../trips.ts";
import { type CassandraTripsOptions, openCassandraTrips } from "./trips.ts";

const TABLES = [
  ...["trips", "trips_by_rider", "trips_by_driver", "trips_by_hour"],
  ...["trip_of_driver", "trip_of_key", "trip_outbox", "trip_buckets"],
];
const RETENTION_MS = 30 * 86_400_000;

/** A keyspace of its own in the shared Cassandra. */
export async function tripsKeyspace() {
  const space = await migratedKeyspace("trips");
  const { link } = space;
  return {
    ...space,
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
