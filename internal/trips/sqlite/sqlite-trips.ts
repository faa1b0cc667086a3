import { BimrideError } from "../../core/errors.ts";
import { isRunning, type Trip } from "../../core/trip.ts";
import type { DatabaseOptions } from "../../sqlite/database.ts";
import { SqliteWorker } from "../../sqlite/sqlite-worker.ts";
import { storedTrip } from "../stored-trip.ts";
import type { IdempotencyClaim, PendingChange, PutResult, TripFilter, Trips } from "../trips.ts";
import type { TripWorkerOperations } from "./sqlite-trips.worker.ts";

/**
 * The trips on SQLite, in a thread of its own. A put is one transaction (compare-and-set, outbox row, idempotency claim);
 * puts that come together share a commit. What was answered is on the disk.
 */
export class SqliteTrips implements Trips {
  readonly #worker: SqliteWorker<TripWorkerOperations>;

  private constructor(worker: SqliteWorker<TripWorkerOperations>) {
    this.#worker = worker;
  }

  /** Opens or makes the database. Rejects with STORE_UNAVAILABLE when it can't be opened. */
  static async open(database: DatabaseOptions): Promise<SqliteTrips> {
    const { worker } = await SqliteWorker.start<TripWorkerOperations, undefined>({
      entry: new URL("./sqlite-trips.worker.ts", import.meta.url),
      name: "trips",
      data: database,
      toError: (fault) =>
        new BimrideError("STORE_UNAVAILABLE", undefined, { cause: new Error(fault.message) }),
    });
    return new SqliteTrips(worker);
  }

  put(trip: Trip, claim?: IdempotencyClaim): Promise<PutResult> {
    const { tripId, version, driverId, createdAtMs, riderIds } = trip;
    const body = JSON.stringify(trip);
    const row = { tripId, version, driverId, running: isRunning(trip), createdAtMs, riderIds, body };
    return this.#worker.call("put", { row, claim });
  }

  async get(tripId: string): Promise<Trip | undefined> {
    return parsed(await this.#worker.call("get", tripId));
  }

  async list(filter: TripFilter, limit: number, after: string): Promise<Trip[]> {
    const bodies = await this.#worker.call("list", { filter, limit, after });
    return bodies.map(storedTrip);
  }

  async runningOf(driverId: string): Promise<Trip | undefined> {
    return parsed(await this.#worker.call("runningOf", driverId));
  }

  async pending(regions: readonly string[], limit: number): Promise<PendingChange[]> {
    const rows = await this.#worker.call("pending", { regions, limit });
    return rows.map(({ body, previous }) => ({
      trip: storedTrip(body),
      previous: parsed(previous ?? undefined),
    }));
  }

  async published(tripId: string, version: number): Promise<void> {
    await this.#worker.call("published", { tripId, version });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#worker[Symbol.asyncDispose]();
  }
}

function parsed(body: string | undefined): Trip | undefined {
  return body === undefined ? undefined : storedTrip(body);
}
