import { workerData } from "node:worker_threads";
import { type DatabaseOptions, openDatabase } from "../../sqlite/database.ts";
import { serve } from "../../sqlite/serve.ts";
import { TripOperations } from "./trip-operations.ts";

/** What it can be asked. */
export type TripWorkerOperations = {
  put: TripOperations["put"];
  published: TripOperations["published"];
  get: TripOperations["get"];
  runningOf: TripOperations["runningOf"];
  pending: TripOperations["pending"];
  list: TripOperations["list"];
};

serve(
  () => {
    const db = openDatabase(workerData as DatabaseOptions, [new URL("./schema-1.sql", import.meta.url)]);
    const trips = new TripOperations(db);
    return {
      db,
      writes: { put: (query) => trips.put(query), published: (change) => trips.published(change) },
      reads: {
        get: (tripId) => trips.get(tripId),
        runningOf: (driverId) => trips.runningOf(driverId),
        pending: (query) => trips.pending(query),
        list: (query) => trips.list(query),
      },
    };
  },
  () => undefined,
);
