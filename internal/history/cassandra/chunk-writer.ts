import type { CassandraLink } from "../../cassandra/link.ts";
import { partyKey } from "../../core/fix.ts";
import { encodeChunk } from "../codec.ts";
import type { TrackChunk } from "../history.ts";
import { chunkVersion } from "../version.ts";
import { dayOf, type Piece, toPieces } from "./pieces.ts";
import { ttlS } from "./ttl.ts";

/** Rows of one call under way at once. */
const MAX_ROWS_AT_ONCE = 128;

const INSERT = `INSERT INTO track_chunks
  (party, day, first_at, session_id, first_seq, first_sequence, chunk_at, fixes)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?`;

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
    let next = 0;
    let failed = false;
    const drain = async () => {
      while (next < chunks.length && !failed) {
        const chunk = chunks[next++]!;
        for (const piece of toPieces(chunk)) await this.#putPiece(chunk, piece, nowMs, atLeast);
      }
    };
    const drains = Array.from({ length: Math.min(MAX_ROWS_AT_ONCE, chunks.length) }, () =>
      drain().catch((error) => {
        failed = true;
        throw error;
      }),
    );
    // All have ended before the call does: nothing is written after it has failed.
    const ends = await Promise.allSettled(drains);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  async #putPiece(key: TrackChunk, { nearMs, chunk }: Piece, nowMs: number, atLeast: number): Promise<void> {
    const ttl = ttlS(chunk.maxAtMs, nowMs, this.#retentionMs);
    if (ttl <= 0) return;
    await this.#link.execute(INSERT, [
      partyKey(key.party),
      dayOf(nearMs),
      nearMs,
      key.sessionId,
      key.firstSeq,
      key.firstSequence,
      Math.round(key.firstAtMs),
      Buffer.from(encodeChunk(chunk).buffer),
      Math.max(atLeast, chunkVersion(chunk.fixes)),
      ttl,
    ]);
  }
}
