import type { CassandraLink } from "../../cassandra/link.ts";
import { BimrideError } from "../../core/errors.ts";
import { type Clock, systemClock } from "../../core/time.ts";
import type {
  ChunkQuery,
  HistoryStore,
  PutOptions,
  RecordedFix,
  TrackChunk,
  TrackQuery,
  TripEvent,
  TripFinal,
} from "../history.ts";
import { repairVersion } from "../version.ts";
import { ChunkWriter } from "./chunk-writer.ts";
import { DAY_MS } from "./pieces.ts";
import { readTrack, storedChunks } from "./track-reader.ts";
import { TripRecords } from "./trip-records.ts";

/** How far beyond the clock fixes may lie, and how long rows may outlive the retention. */
const SPAN_MARGIN_MS = 2 * DAY_MS;

export type CassandraHistoryOptions = {
  /** Its keyspace has the tables of `migrate`. Disposed by whoever opened it, after the history. */
  link: CassandraLink;
  /** Rows leave by themselves so long after what they hold was captured. */
  retentionMs: number;
  /** The clock of capture times. */
  clock?: Clock;
};

/**
 * Opens the history in Cassandra. A resolved write is with a quorum of the data centre's copies. Rows leave by their TTL,
 * so `trim` does nothing.
 */
export async function openCassandraHistory(options: CassandraHistoryOptions): Promise<HistoryStore> {
  return new CassandraHistory(options);
}

class CassandraHistory implements HistoryStore {
  readonly #link: CassandraLink;
  readonly #retentionMs: number;
  readonly #clock: Clock;
  readonly #chunks: ChunkWriter;
  readonly #trips: TripRecords;
  readonly #writing = new Set<Promise<void>>();
  #lastRepair = 0;
  #closed = false;

  constructor({ link, retentionMs, clock = systemClock }: CassandraHistoryOptions) {
    this.#link = link;
    this.#retentionMs = retentionMs;
    this.#clock = clock;
    this.#chunks = new ChunkWriter(link, retentionMs);
    this.#trips = new TripRecords(link, retentionMs, clock);
  }

  /** The chunks must not change until the write has resolved. */
  putChunks(chunks: readonly TrackChunk[], { repair = false }: PutOptions = {}): Promise<void> {
    const nowMs = this.#clock.now();
    // Of two repairs the later one is the newer also within a millisecond.
    if (repair) this.#lastRepair = Math.max(this.#lastRepair + 1, repairVersion(nowMs));
    const atLeast = repair ? this.#lastRepair : 0;
    return this.#write(() => this.#chunks.put(chunks, nowMs, atLeast));
  }

  putFinal(final: TripFinal): Promise<void> {
    return this.#write(() => this.#trips.putFinal(final));
  }

  putEvents(events: readonly TripEvent[]): Promise<void> {
    return this.#write(() => this.#trips.putEvents(events));
  }

  async track(query: TrackQuery): Promise<RecordedFix[]> {
    this.#checkOpen();
    const nowMs = this.#clock.now();
    const span = { fromMs: nowMs - this.#retentionMs - SPAN_MARGIN_MS, toMs: nowMs + SPAN_MARGIN_MS };
    return readTrack(this.#link, query, span);
  }

  async chunks(query: ChunkQuery): Promise<TrackChunk[]> {
    this.#checkOpen();
    return storedChunks(this.#link, query);
  }

  async final(tripId: string): Promise<TripFinal | undefined> {
    this.#checkOpen();
    return this.#trips.final(tripId);
  }

  async events(tripId: string, limit: number, after?: { atMs: number; key: string }): Promise<TripEvent[]> {
    this.#checkOpen();
    return this.#trips.events(tripId, limit, after);
  }

  /** Does nothing: every row has a TTL. */
  async trim(): Promise<void> {
    this.#checkOpen();
  }

  async #write(write: () => Promise<void>): Promise<void> {
    this.#checkOpen();
    const writing = write();
    this.#writing.add(writing);
    try {
      await writing;
    } finally {
      this.#writing.delete(writing);
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new BimrideError("STORE_UNAVAILABLE", "The history is closed.");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#writing);
  }
}
