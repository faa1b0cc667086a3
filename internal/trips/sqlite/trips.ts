import { BimrideError } from "../../core/errors.ts";
import type { Trip } from "../../core/trip.ts";
import type { DatabaseOptions } from "../../sqlite/database.ts";
import type { Fault } from "../../sqlite/faults.ts";
import { SqliteWorker } from "../../sqlite/sqlite-worker.ts";
import type { IdempotencyClaim, PutResult, TripFilter, Trips } from "../trips.ts";
import type { TripWorkerOperations } from "./trips.worker.ts";

/**
 * Opens the embedded trips store: one SQLite database, written by a thread of its own; trip, outbox row and idempotency
 * claim in one transaction. Rejects with STORE_UNAVAILABLE when the file is damaged, locked or of a newer build.
 * @param entry the worker's file; tests give one that fails
 */
export async function openSqliteTrips(
  options: DatabaseOptions,
  entry: URL = new URL("./trips.worker.ts", import.meta.url),
): Promise<Trips> {
  const { worker } = await SqliteWorker.start<TripWorkerOperations, undefined>({
    entry,
    name: "trips",
    data: options,
    toError,
  });
  return new SqliteTrips(worker);
}

function toError({ message }: Fault): BimrideError {
  return new BimrideError("STORE_UNAVAILABLE", `The trips store can't be used: ${message}`, {
    cause: new Error(message),
  });
}

class SqliteTrips implements Trips {
  readonly #worker: SqliteWorker<TripWorkerOperations>;

  constructor(worker: SqliteWorker<TripWorkerOperations>) {
    this.#worker = worker;
  }

  put(trip: Trip, claim?: IdempotencyClaim): Promise<PutResult> {
    return this.#worker.call("put", { trip, claim });
  }

  get(tripId: string): Promise<Trip | undefined> {
    return this.#worker.call("get", tripId);
  }

  list(filter: TripFilter, limit: number, after: string): Promise<Trip[]> {
    return this.#worker.call("list", { filter, limit, after });
  }

  runningOf(driverId: string): Promise<Trip | undefined> {
    return this.#worker.call("runningOf", driverId);
  }

  pending(limit: number): Promise<Trip[]> {
    return this.#worker.call("pending", limit);
  }

  published(tripId: string, version: number): Promise<void> {
    return this.#worker.call("published", { tripId, version });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#worker[Symbol.asyncDispose]();
  }
}
