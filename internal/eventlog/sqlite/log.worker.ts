import { workerData } from "node:worker_threads";
import { type DatabaseOptions, DEFAULT_RESERVE_BYTES, openDatabase } from "../../sqlite/database.ts";
import { DiskReserve } from "../../sqlite/disk-reserve.ts";
import { serve } from "../../sqlite/serve.ts";
import {
  type AppendBatch,
  type Bounds,
  LogOperations,
  type ReadQuery,
  type TimeQuery,
  type TrimQuery,
} from "./operations.ts";

/** What the main thread gives this worker at its start. */
export type LogWorkerData = { database: DatabaseOptions; region: string; partitions: number };
/** What it greets with. */
export type LogHello = Bounds;
/** What it can be asked. */
export type LogWorkerOperations = {
  append: (batch: AppendBatch) => ReturnType<LogOperations["append"]>;
  trim: (query: TrimQuery) => ReturnType<LogOperations["trim"]>;
  read: (query: ReadQuery) => ReturnType<LogOperations["read"]>;
  sequenceAt: (query: TimeQuery) => ReturnType<LogOperations["sequenceAt"]>;
};

let log: LogOperations;
serve(
  () => {
    const { database, region, partitions } = workerData as LogWorkerData;
    const db = openDatabase(database, [new URL("./schema.sql", import.meta.url)]);
    const reserve = new DiskReserve(db, database.path, database.reserveBytes ?? DEFAULT_RESERVE_BYTES);
    log = new LogOperations(db, reserve, region, partitions);
    return {
      db,
      writes: { append: (batch) => log.append(batch), trim: (query) => log.trim(query) },
      reads: { read: (query) => log.read(query), sequenceAt: (query) => log.sequenceAt(query) },
      committed: () => log.committed(),
      rolledBack: () => log.rolledBack(),
    };
  },
  (): LogHello => log.bounds,
);
