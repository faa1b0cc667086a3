import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { DiskReserve } from "../../sqlite/disk-reserve.ts";
import type { Answer } from "../../sqlite/serve.ts";
import type { ChunkQuery, TrackQuery } from "../history.ts";
import { type Packed, pack, unpack } from "./packed.ts";
import { SLACK_MS, TrackReader, toRuns } from "./track-reader.ts";

export type ChunkKey = {
  party: string;
  firstAtMs: number;
  sessionId: string;
  firstSeq: number;
  firstSequence: number;
  minAtMs: number;
  maxAtMs: number;
  version: number;
};
export type ChunkRows = { keys: ChunkKey[]; fixes: Packed };
/** What crosses the thread boundary of a TripFinal: the track is encoded, the phases are JSON. */
export type FinalRow = {
  tripId: string;
  revision: number;
  settledAtMs: number;
  version: number;
  distanceM: number;
  approachM: number;
  phases: string;
  track: Uint8Array<ArrayBuffer>;
};
export type EventRow = { tripId: string; atMs: number; key: string; event: string };
export type EventQuery = { tripId: string; limit: number; after: { atMs: number; key: string } | undefined };
export type TrimQuery = { beforeMs: number; maxRows: number };

/** The history's operations on its database, run in the worker. */
export class HistoryOperations {
  readonly #reserve: DiskReserve;
  readonly #putChunk: StatementSync;
  readonly #putFinal: StatementSync;
  readonly #final: StatementSync;
  readonly #putEvent: StatementSync;
  readonly #events: StatementSync;
  readonly #trims: StatementSync[];
  readonly #reader: TrackReader;

  constructor(db: DatabaseSync, reserve: DiskReserve) {
    this.#reserve = reserve;
    this.#reader = new TrackReader(db);
    this.#putChunk = db.prepare(`
      INSERT INTO chunks
        (party, first_at_ms, session_id, first_seq, first_sequence, min_at_ms, max_at_ms, wide, version, fixes)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (party, first_at_ms, session_id, first_seq, first_sequence) DO UPDATE SET
        min_at_ms = excluded.min_at_ms, max_at_ms = excluded.max_at_ms, wide = excluded.wide,
        version = excluded.version, fixes = excluded.fixes
      WHERE excluded.version >= chunks.version`);
    this.#putFinal = db.prepare(`
      INSERT INTO trip_finals (trip_id, revision, settled_at_ms, version, distance_m, approach_m, phases, track)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (trip_id) DO UPDATE SET
        revision = excluded.revision, settled_at_ms = excluded.settled_at_ms, version = excluded.version,
        distance_m = excluded.distance_m, approach_m = excluded.approach_m, phases = excluded.phases,
        track = excluded.track
      WHERE excluded.version >= trip_finals.version`);
    this.#final = db.prepare("SELECT * FROM trip_finals WHERE trip_id = ?");
    this.#putEvent = db.prepare(
      "INSERT OR REPLACE INTO trip_events (trip_id, at_ms, key, event) VALUES (?, ?, ?, ?)",
    );
    this.#events = db.prepare(`
      SELECT at_ms, key, event FROM trip_events WHERE trip_id = ? AND (at_ms, key) > (?, ?)
      ORDER BY at_ms, key LIMIT ?`);
    this.#trims = [
      db.prepare(`DELETE FROM chunks WHERE id IN
        (SELECT id FROM chunks WHERE first_at_ms < :beforeMs AND max_at_ms < :beforeMs LIMIT :maxRows)`),
      db.prepare(`DELETE FROM trip_finals WHERE rowid IN
        (SELECT rowid FROM trip_finals WHERE settled_at_ms < :beforeMs LIMIT :maxRows)`),
      db.prepare(`DELETE FROM trip_events WHERE (trip_id, at_ms, key) IN
        (SELECT trip_id, at_ms, key FROM trip_events WHERE at_ms < :beforeMs LIMIT :maxRows)`),
    ];
  }

  putChunks({ keys, fixes }: ChunkRows): Answer<void> {
    this.#reserve.check();
    const blobs = unpack(fixes);
    for (const [i, key] of keys.entries()) {
      const { party, firstAtMs, sessionId, firstSeq, firstSequence, minAtMs, maxAtMs, version } = key;
      const wide = maxAtMs - firstAtMs > SLACK_MS || firstAtMs - minAtMs > SLACK_MS ? 1 : 0;
      const place = [party, firstAtMs, sessionId, firstSeq, firstSequence] as const;
      this.#putChunk.run(...place, minAtMs, maxAtMs, wide, version, blobs[i]!);
    }
    return { value: undefined };
  }

  track(query: TrackQuery): Answer<Packed> {
    const packed = pack(toRuns(query.party, this.#reader.read(query)));
    return { value: packed, transfer: [packed.bytes.buffer] };
  }

  chunks(query: ChunkQuery): Answer<Packed> {
    const packed = pack(this.#reader.stored(query));
    return { value: packed, transfer: [packed.bytes.buffer] };
  }

  putFinal(row: FinalRow): Answer<void> {
    const { tripId, revision, settledAtMs, version, distanceM, approachM, phases, track } = row;
    this.#putFinal.run(tripId, revision, settledAtMs, version, distanceM, approachM, phases, track);
    return { value: undefined };
  }

  final(tripId: string): Answer<FinalRow | undefined> {
    const row = this.#final.get(tripId);
    if (!row) return { value: undefined };
    const track = row.track as Uint8Array<ArrayBuffer>;
    const value: FinalRow = {
      tripId,
      revision: Number(row.revision),
      settledAtMs: Number(row.settled_at_ms),
      version: Number(row.version),
      distanceM: Number(row.distance_m),
      approachM: Number(row.approach_m),
      phases: String(row.phases),
      track,
    };
    return { value };
  }

  putEvents(rows: readonly EventRow[]): Answer<void> {
    for (const { tripId, atMs, key, event } of rows) this.#putEvent.run(tripId, atMs, key, event);
    return { value: undefined };
  }

  events({ tripId, limit, after }: EventQuery): Answer<EventRow[]> {
    // Without a page before: before every key of the smallest time.
    const rows = this.#events.all(tripId, after?.atMs ?? Number.MIN_SAFE_INTEGER, after?.key ?? "", limit);
    return {
      value: rows.map((row) => ({
        tripId,
        atMs: Number(row.at_ms),
        key: String(row.key),
        event: String(row.event),
      })),
    };
  }

  /** Removes some of what is older; `done` when nothing older is left. */
  trim({ beforeMs, maxRows }: TrimQuery): Answer<{ done: boolean }> {
    let done = true;
    for (const statement of this.#trims)
      if (Number(statement.run({ beforeMs, maxRows }).changes) >= maxRows) done = false;
    return { value: { done } };
  }
}
