import { workerData } from "node:worker_threads";
import { type DatabaseOptions, openDatabase } from "../../sqlite/database.ts";
import { serve } from "../../sqlite/serve.ts";
import { TripOperations } from "./operations.ts";

const MIGRATIONS = [new URL("./schema.sql", import.meta.url)];

export type TripWorkerOperations = Pick<
  TripOperations,
  "put" | "published" | "get" | "list" | "runningOf" | "pending"
>;

serve(
  () => {
    const db = openDatabase(workerData as DatabaseOptions, MIGRATIONS);
    const operations = new TripOperations(db);
    return {
      db,
      writes: { put: operations.put.bind(operations), published: operations.published.bind(operations) },
      reads: {
        get: operations.get.bind(operations),
        list: operations.list.bind(operations),
        runningOf: operations.runningOf.bind(operations),
        pending: operations.pending.bind(operations),
      },
    };
  },
  () => undefined,
);
