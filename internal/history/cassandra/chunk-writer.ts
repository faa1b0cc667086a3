import type { CassandraLink } from "../../cassandra/link.ts";
import { partyKey } from "../../core/fix.ts";
import { encodeChunk } from "../codec.ts";
import type { TrackChunk } from "../history.ts";
import { chunkVersion } from "../version.ts";
import { dayOf, type Piece, toPieces } from "./pieces.ts";
import { ttlS } from "./ttl.ts";

/** Requests of one call under way at once. */
const MAX_REQUESTS_AT_ONCE = 256;
/**
 * Encoded fixes in one batch, when a party has several rows: three to six times the fixes per second of single rows
 * (measured). Cassandra logs a warning from 5 KiB on (`batch_size_warn_threshold`), keys included.
 */
const MAX_BATCH_BYTES = 4_400;

const INSERT = `INSERT INTO track_chunks
  (party, day, first_at, session_id, first_seq, first_sequence, chunk_at, fixes)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?`;

type Row = { key: TrackChunk; piece: Piece };
type Encoded = { params: unknown[]; bytes: number };

/**
 * Writes chunks as rows. The version of a row is the time of its write, so that Cassandra itself keeps the newest in
 * whatever order they come. Rows are encoded as they are sent, so a call of many chunks holds only some of them encoded.
 */
export class ChunkWriter {
  readonly #link: CassandraLink;
  readonly #retentionMs: number;

  constructor(link: CassandraLink, retentionMs: number) {
    this.#link = link;
    this.#retentionMs = retentionMs;
  }

  /**
   * Rejects at the first row that can't be written; others may be written then.
   * @param atLeast the version of all rows whose own is smaller
   */
  async put(chunks: readonly TrackChunk[], nowMs: number, atLeast: number): Promise<void> {
    const partitions = rowsByPartition(chunks);
    let next = 0;
    let failed = false;
    const drain = async () => {
      while (next < partitions.length && !failed) await this.#putRows(partitions[next++]!, nowMs, atLeast);
    };
    const drains = Array.from({ length: Math.min(MAX_REQUESTS_AT_ONCE, partitions.length) }, () =>
      drain().catch((error) => {
        failed = true;
        throw error;
      }),
    );
    // All have ended before the call does: nothing is written after it has failed.
    const ends = await Promise.allSettled(drains);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  async #putRows(rows: readonly Row[], nowMs: number, atLeast: number): Promise<void> {
    let batch: Encoded[] = [];
    let bytes = 0;
    for (const row of rows) {
      const ttl = ttlS(row.piece.chunk.maxAtMs, nowMs, this.#retentionMs);
      if (ttl <= 0) continue;
      const encoded = encode(row, Math.max(atLeast, chunkVersion(row.piece.chunk.fixes)), ttl);
      if (batch.length > 0 && bytes + encoded.bytes > MAX_BATCH_BYTES) {
        await this.#send(batch);
        batch = [];
        bytes = 0;
      }
      batch.push(encoded);
      bytes += encoded.bytes;
    }
    if (batch.length > 0) await this.#send(batch);
  }

  async #send(rows: readonly Encoded[]): Promise<void> {
    if (rows.length === 1) await this.#link.execute(INSERT, rows[0]!.params);
    else await this.#link.batch(rows.map(({ params }) => ({ query: INSERT, params })));
  }
}

/** The rows of each partition, in the order in which partitions come up. */
function rowsByPartition(chunks: readonly TrackChunk[]): Row[][] {
  const partitions = new Map<string, Row[]>();
  for (const key of chunks)
    for (const piece of toPieces(key)) {
      const partition = `${partyKey(key.party)} ${dayOf(piece.nearMs)}`;
      const rows = partitions.get(partition);
      if (rows) rows.push({ key, piece });
      else partitions.set(partition, [{ key, piece }]);
    }
  return [...partitions.values()];
}

function encode({ key, piece }: Row, version: number, ttl: number): Encoded {
  const { nearMs, chunk } = piece;
  const fixes = Buffer.from(encodeChunk(chunk).buffer);
  const { party, sessionId, firstSeq, firstSequence, firstAtMs } = key;
  return {
    params: [
      partyKey(party),
      dayOf(nearMs),
      nearMs,
      sessionId,
      firstSeq,
      firstSequence,
      Math.round(firstAtMs),
      fixes,
      version,
      ttl,
    ],
    bytes: fixes.length,
  };
}
