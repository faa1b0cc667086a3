import { workerData } from "node:worker_threads";
import { type DatabaseOptions, DEFAULT_RESERVE_BYTES, openDatabase } from "../../sqlite/database.ts";
import { DiskReserve } from "../../sqlite/disk-reserve.ts";
import { serve } from "../../sqlite/serve.ts";
import type { ChunkQuery, TrackQuery } from "../history.ts";
import {
  type ChunkRows,
  type EventQuery,
  type EventRow,
  type FinalRow,
  HistoryOperations,
  type TrimQuery,
} from "./operations.ts";

/** What the main thread can ask of this worker; it gets DatabaseOptions at its start. */
export type HistoryWorkerOperations = {
  putChunks: (rows: ChunkRows) => ReturnType<HistoryOperations["putChunks"]>;
  putFinal: (row: FinalRow) => ReturnType<HistoryOperations["putFinal"]>;
  putEvents: (rows: readonly EventRow[]) => ReturnType<HistoryOperations["putEvents"]>;
  trim: (query: TrimQuery) => ReturnType<HistoryOperations["trim"]>;
  track: (query: TrackQuery) => ReturnType<HistoryOperations["track"]>;
  chunks: (query: ChunkQuery) => ReturnType<HistoryOperations["chunks"]>;
  final: (tripId: string) => ReturnType<HistoryOperations["final"]>;
  events: (query: EventQuery) => ReturnType<HistoryOperations["events"]>;
};

serve(
  () => {
    const options = workerData as DatabaseOptions;
    const db = openDatabase(options, [
      new URL("./schema.sql", import.meta.url),
      new URL("./schema-2.sql", import.meta.url),
      new URL("./schema-3.sql", import.meta.url),
    ]);
    const reserve = new DiskReserve(db, options.path, options.reserveBytes ?? DEFAULT_RESERVE_BYTES);
    const history = new HistoryOperations(db, reserve);
    return {
      db,
      writes: {
        putChunks: (rows) => history.putChunks(rows),
        putFinal: (row) => history.putFinal(row),
        putEvents: (rows) => history.putEvents(rows),
        trim: (query) => history.trim(query),
      },
      reads: {
        track: (query) => history.track(query),
        chunks: (query) => history.chunks(query),
        final: (tripId) => history.final(tripId),
        events: (query) => history.events(query),
      },
    };
  },
  () => undefined,
);
