import type { CassandraLink } from "../../cassandra/link.ts";
import type { Clock } from "../../core/time.ts";
import { isRunning, type Trip } from "../../core/trip.ts";
import type { TripFilter } from "../trips.ts";
import { Buckets } from "./buckets.ts";
import { inTurns } from "./in-turns.ts";
import type { TripRows } from "./trip-rows.ts";
import { ttlS } from "./ttl.ts";

type Table = { put: string; remove: string; list: string; listAfter: string };

function tableOf(name: string, owner: string): Table {
  const columns = `(${owner}, created_at, trip_id, ended)`;
  const list = `SELECT created_at, trip_id, ended FROM ${name} WHERE ${owner} = ?`;
  return {
    put: `INSERT INTO ${name} ${columns} VALUES (?, ?, ?, ?) USING TTL ?`,
    remove: `DELETE FROM ${name} WHERE ${owner} = ? AND created_at = ? AND trip_id = ?`,
    list,
    listAfter: `${list} AND (created_at, trip_id) < (?, ?)`,
  };
}

const BY_RIDER = tableOf("trips_by_rider", "rider_id");
const BY_DRIVER = tableOf("trips_by_driver", "driver_id");
const BY_HOUR = tableOf("trips_by_hour", "hour");

const HOUR_MS = 3_600_000;
/** An hour in which nothing was found is struck off the list of hours unless it was written down since. */
const SETTLED_AFTER_MS = 600_000;
/** Rows of the index read at once are a little more than what is asked for, within these bounds. */
const ROWS_AT_ONCE = { fewest: 20, most: 500 } as const;

/** A row of one of the tables: whose, and which trip. */
type Place = { table: Table; owner: string | number };
type Entry = { createdAtMs: number; tripId: string; ended: boolean };

/**
 * Lists of trips by rider, by driver and by the hour of their creation. Rows are written before the trip is stored, so
 * a stored trip is always found; who asks gets only what the trip's own row says. Rows of a trip that runs stay, those of
 * one that ended, and of parties that are not on it any more, leave after the retention. Who asks for running trips
 * without naming a rider or driver has the index of everything that is kept read, until there are enough.
 */
export class TripIndex {
  readonly #link: CassandraLink;
  readonly #rows: TripRows;
  readonly #hours: Buckets;
  readonly #leaveTtlS: number;

  constructor(link: CassandraLink, rows: TripRows, clock: Clock, retentionMs: number) {
    this.#link = link;
    this.#rows = rows;
    this.#hours = new Buckets(link, clock, "hour", SETTLED_AFTER_MS);
    this.#leaveTtlS = ttlS(retentionMs);
  }

  /** What the trip needs before it is stored in place of `previous`. */
  async add(trip: Trip, previous: Trip | undefined): Promise<void> {
    if (!previous) await this.#hours.use(hourOf(trip));
    const known = new Set(previous ? placesOf(previous).map(keyOf) : []);
    const missing = placesOf(trip).filter((place) => !known.has(keyOf(place)));
    await Promise.all(missing.map((place) => this.#put(place, trip, false, 0)));
  }

  /** What is to be done once the trip is stored in place of `previous`. Can be repeated. */
  async settle(trip: Trip, previous: Trip | undefined): Promise<void> {
    const now = placesOf(trip);
    const staying = new Set(now.map(keyOf));
    const left = previous ? placesOf(previous).filter((place) => !staying.has(keyOf(place))) : [];
    const leaving = isRunning(trip) ? left : [...left, ...now];
    const ended = !isRunning(trip);
    await Promise.all(leaving.map((place) => this.#put(place, trip, ended, this.#leaveTtlS)));
  }

  /** Takes back what `add` wrote for a trip that was not stored. @param newest what is stored of it */
  async withdraw(trip: Trip, newest: Trip | undefined): Promise<void> {
    if (newest) return this.settle(newest, trip);
    const removals = placesOf(trip).map(({ table, owner }) =>
      this.#link.execute(table.remove, [owner, trip.createdAtMs, trip.tripId]),
    );
    await Promise.all(removals);
  }

  /** As `Trips.list`. */
  async list(filter: TripFilter, limit: number, after: string): Promise<Trip[]> {
    const last = after === "" ? undefined : (await this.#rows.read(after)).trip;
    if (limit <= 0 || (after !== "" && !last)) return [];
    const found: Trip[] = [];
    for await (const entries of this.#entries(filter, last, limit)) {
      const asked = filter.runningOnly ? entries.filter(({ ended }) => !ended) : entries;
      const states = await inTurns(asked, ({ tripId }) => this.#rows.read(tripId));
      for (const { trip } of states) if (trip && matches(trip, filter)) found.push(trip);
      if (found.length >= limit) break;
    }
    return found.slice(0, limit);
  }

  /** Newest first, some at a time. */
  async *#entries(filter: TripFilter, last: Trip | undefined, limit: number): AsyncGenerator<Entry[]> {
    if (filter.riderId !== undefined) yield* this.#of(BY_RIDER, filter.riderId, last, limit);
    else if (filter.driverId !== undefined) yield* this.#of(BY_DRIVER, filter.driverId, last, limit);
    else
      for await (const hour of this.#hours.list(last ? hourOf(last) : Number.MAX_SAFE_INTEGER)) {
        let isEmpty = true;
        for await (const entries of this.#of(BY_HOUR, hour, last, limit)) {
          isEmpty &&= entries.length === 0;
          yield entries;
        }
        if (isEmpty && last === undefined) await this.#hours.remove(hour);
      }
  }

  async *#of(
    table: Table,
    owner: string | number,
    last: Trip | undefined,
    limit: number,
  ): AsyncGenerator<Entry[]> {
    const fetchSize = Math.max(ROWS_AT_ONCE.fewest, Math.min(ROWS_AT_ONCE.most, limit));
    const query = last ? table.listAfter : table.list;
    const params = last ? [owner, last.createdAtMs, last.tripId] : [owner];
    for (let pageState: string | undefined; ; ) {
      const options = pageState === undefined ? { fetchSize } : { fetchSize, pageState };
      const result = await this.#link.execute(query, params, options);
      yield result.rows.map(({ created_at, trip_id, ended }) => ({
        createdAtMs: (created_at as Date).getTime(),
        tripId: trip_id,
        ended: ended === true,
      }));
      if (!result.pageState) return;
      pageState = result.pageState;
    }
  }

  async #put({ table, owner }: Place, trip: Trip, ended: boolean, ttl: number): Promise<void> {
    await this.#link.execute(table.put, [owner, trip.createdAtMs, trip.tripId, ended, ttl]);
  }
}

function placesOf(trip: Trip): Place[] {
  const { riderIds, driverId } = trip;
  return [
    { table: BY_HOUR, owner: hourOf(trip) },
    ...[...new Set(riderIds)].map((owner) => ({ table: BY_RIDER, owner })),
    ...(driverId === "" ? [] : [{ table: BY_DRIVER, owner: driverId }]),
  ];
}

function keyOf({ table, owner }: Place): string {
  return `${table.list} ${owner}`;
}

function hourOf({ createdAtMs }: Trip): number {
  return Math.floor(createdAtMs / HOUR_MS);
}

function matches(trip: Trip, { riderId, driverId, runningOnly }: TripFilter): boolean {
  if (riderId !== undefined && !trip.riderIds.includes(riderId)) return false;
  if (driverId !== undefined && trip.driverId !== driverId) return false;
  return !runningOnly || isRunning(trip);
}
