import { BimrideError } from "../../core/errors.ts";
import { partyKey } from "../../core/fix.ts";
import { type Clock, systemClock } from "../../core/time.ts";
import type { DatabaseOptions } from "../../sqlite/database.ts";
import type { Fault } from "../../sqlite/faults.ts";
import { SqliteWorker } from "../../sqlite/sqlite-worker.ts";
import { decodeChunk, decodeFinalTrack, encodeChunk, encodeFinalTrack } from "../codec.ts";
import type {
  ChunkQuery,
  HistoryStore,
  PhaseSpan,
  PutOptions,
  RecordedFix,
  TrackChunk,
  TrackQuery,
  TripEvent,
  TripFinal,
} from "../history.ts";
import { chunkVersion, finalVersion, repairVersion } from "../version.ts";
import type { HistoryWorkerOperations } from "./history.worker.ts";
import type { ChunkKey } from "./operations.ts";
import { pack, unpack } from "./packed.ts";

/** Rows of each kind that one transaction of `trim` removes. */
const MAX_ROWS_PER_TRIM = 500;
/** Chunks that are encoded in one turn of the event loop and written in one transaction: one or two milliseconds. */
const CHUNKS_PER_WRITE = 200;

export type SqliteHistoryOptions = {
  /** The database file; made when missing. Its folder must exist and be this process's alone. */
  path: string;
  /** The database never gets larger; writes beyond reject with STORE_UNAVAILABLE until `trim` made room. */
  maxBytes?: number;
  /** Chunks are refused while the disk has less room than this (64 MiB), so that `trim` can still work. */
  reserveBytes?: number;
  clock?: Clock;
};

/**
 * Opens the embedded history: one SQLite database, written by a thread of its own. Rejects with STORE_UNAVAILABLE when
 * the file is damaged, locked or of a newer build.
 * @param entry the worker's file; tests give one that fails
 */
export async function openSqliteHistory(
  options: SqliteHistoryOptions,
  entry: URL = new URL("./history.worker.ts", import.meta.url),
): Promise<HistoryStore> {
  const { path, maxBytes, reserveBytes, clock = systemClock } = options;
  const data: DatabaseOptions = { path, maxBytes, reserveBytes };
  const { worker } = await SqliteWorker.start<HistoryWorkerOperations, undefined>({
    entry,
    name: "history",
    data,
    toError,
  });
  return new SqliteHistory(worker, clock);
}

function toError({ message }: Fault): BimrideError {
  const cause = new Error(message);
  return new BimrideError("STORE_UNAVAILABLE", `The history can't be used: ${message}`, { cause });
}

/** A resolved write is committed with synchronous=FULL; writes that arrive during a commit share the next one. */
class SqliteHistory implements HistoryStore {
  readonly #worker: SqliteWorker<HistoryWorkerOperations>;
  readonly #clock: Clock;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(worker: SqliteWorker<HistoryWorkerOperations>, clock: Clock) {
    this.#worker = worker;
    this.#clock = clock;
  }

  /** The chunks must not change until the write has resolved. */
  putChunks(chunks: readonly TrackChunk[], { repair = false }: PutOptions = {}): Promise<void> {
    if (this.#closed) return Promise.reject(new BimrideError("STORE_UNAVAILABLE", "The history is closed."));
    // One call after another, so that an older state of a chunk never replaces a newer one of the same version.
    const atLeast = repair ? repairVersion(this.#clock.now()) : 0;
    const writing = this.#writing.then(() => this.#putInTurns(chunks, atLeast));
    // Whoever called hears of the failure; the next call only waits for the end of this one.
    this.#writing = writing.catch(() => {});
    return writing;
  }

  async #putInTurns(chunks: readonly TrackChunk[], atLeast: number): Promise<void> {
    for (let at = 0; at < chunks.length; at += CHUNKS_PER_WRITE) {
      const part = chunks.slice(at, at + CHUNKS_PER_WRITE);
      const fixes = pack(part.map(encodeChunk));
      const keys = part.map((chunk) => toKey(chunk, atLeast));
      await this.#worker.call("putChunks", { keys, fixes }, [fixes.bytes.buffer]);
    }
  }

  async track(query: TrackQuery): Promise<RecordedFix[]> {
    const runs = await this.#worker.call("track", query);
    return unpack(runs).flatMap((run) => decodeChunk(run).fixes);
  }

  async chunks(query: ChunkQuery): Promise<TrackChunk[]> {
    return unpack(await this.#worker.call("chunks", query)).map(decodeChunk);
  }

  async putFinal(final: TripFinal): Promise<void> {
    const { phases, track, ...row } = final;
    const encoded = { phases: JSON.stringify(phases), track: encodeFinalTrack(track) };
    await this.#worker.call("putFinal", { ...row, version: finalVersion(final), ...encoded });
  }

  async final(tripId: string): Promise<TripFinal | undefined> {
    const row = await this.#worker.call("final", tripId);
    if (!row) return undefined;
    const { version: _, ...rest } = row;
    return { ...rest, phases: JSON.parse(row.phases) as PhaseSpan[], track: decodeFinalTrack(row.track) };
  }

  async putEvents(events: readonly TripEvent[]): Promise<void> {
    if (events.length === 0) return;
    const rows = events.map(({ tripId, atMs, key, ...rest }) => ({
      tripId,
      atMs,
      key,
      event: JSON.stringify(rest),
    }));
    await this.#worker.call("putEvents", rows);
  }

  async events(tripId: string, limit: number, after?: { atMs: number; key: string }): Promise<TripEvent[]> {
    const rows = await this.#worker.call("events", { tripId, limit, after });
    return rows.map(({ atMs, key, event }) => ({ tripId, atMs, key, ...JSON.parse(event) }) as TripEvent);
  }

  async trim(beforeMs: number): Promise<void> {
    for (let done = false; !done; )
      ({ done } = await this.#worker.call("trim", { beforeMs, maxRows: MAX_ROWS_PER_TRIM }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#writing;
    await this.#worker[Symbol.asyncDispose]();
  }
}

function toKey(chunk: TrackChunk, atLeast: number): ChunkKey {
  const { party, firstAtMs, sessionId, firstSeq, firstSequence, minAtMs, maxAtMs } = chunk;
  return {
    party: partyKey(party),
    firstAtMs: Math.round(firstAtMs),
    sessionId,
    firstSeq,
    firstSequence,
    minAtMs: Math.round(minAtMs),
    maxAtMs: Math.round(maxAtMs),
    version: Math.max(atLeast, chunkVersion(chunk.fixes)),
  };
}
