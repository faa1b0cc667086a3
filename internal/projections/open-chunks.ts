import { partyKey } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { RecordedFix, TrackChunk } from "../history/history.ts";
import type { ProcessedFix } from "../pipeline/output.ts";

type OpenChunk = TrackChunk & { fixes: RecordedFix[]; openedAtMs: number };

/**
 * The history chunks of one partition that still grow: at most one per (party, session). A chunk closes at
 * maxFixesPerChunk fixes, when a fix lies more than maxChunkSpanMs from its first, or when it has been open for so long.
 * A chunk is written again as it grows (same key: the row is replaced), so the stores lag by one store period only.
 */
export class OpenChunks {
  readonly #limits: Limits;
  readonly #open = new Map<string, OpenChunk>();
  #dirty = new Set<OpenChunk>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Takes chunks over from a snapshot. */
  restore(chunks: readonly TrackChunk[], nowMs: number): void {
    for (const chunk of chunks) {
      const open = { ...chunk, fixes: [...chunk.fixes], openedAtMs: nowMs };
      this.#open.set(`${partyKey(chunk.party)} ${chunk.sessionId}`, open);
      this.#dirty.add(open);
    }
  }

  /** Adds a fix to its party's chunk. @param sequence of the log entry that brought it */
  add(processed: ProcessedFix, pipelineTimeMs: number, sequence: number): void {
    const { batch, fix } = processed;
    const atMs = fix.capturedAtMs + batch.clockOffsetMs;
    const key = `${partyKey(batch.party)} ${batch.sessionId}`;
    let chunk = this.#open.get(key);
    if (!chunk || !this.#hasRoom(chunk, atMs, pipelineTimeMs)) {
      chunk = {
        party: batch.party,
        sessionId: batch.sessionId,
        firstAtMs: atMs,
        firstSeq: fix.seq,
        firstSequence: sequence,
        minAtMs: atMs,
        maxAtMs: atMs,
        fixes: [],
        openedAtMs: pipelineTimeMs,
      };
      this.#open.set(key, chunk);
    }
    chunk.fixes.push(recorded(processed));
    chunk.minAtMs = Math.min(chunk.minAtMs, atMs);
    chunk.maxAtMs = Math.max(chunk.maxAtMs, atMs);
    this.#dirty.add(chunk);
  }

  /** Chunks changed since the last call, to be stored; give them back with {@link retry} when that fails. */
  takeDirty(): TrackChunk[] {
    const dirty = this.#dirty;
    this.#dirty = new Set();
    return [...dirty];
  }

  retry(chunks: readonly TrackChunk[]): void {
    for (const chunk of chunks) this.#dirty.add(chunk as OpenChunk);
  }

  /** Forgets chunks that have been open for so long that nothing may be added, once they are stored. */
  closeOld(pipelineTimeMs: number): void {
    for (const [key, chunk] of this.#open) {
      if (pipelineTimeMs - chunk.openedAtMs > this.#limits.maxChunkSpanMs && !this.#dirty.has(chunk))
        this.#open.delete(key);
    }
  }

  /** All that the stores may not have in full: what grows and what is still to be stored. */
  all(): TrackChunk[] {
    return [...new Set([...this.#dirty, ...this.#open.values()])];
  }

  #hasRoom(chunk: OpenChunk, atMs: number, pipelineTimeMs: number): boolean {
    return (
      chunk.fixes.length < this.#limits.maxFixesPerChunk &&
      Math.abs(atMs - chunk.firstAtMs) <= this.#limits.maxChunkSpanMs &&
      pipelineTimeMs - chunk.openedAtMs <= this.#limits.maxChunkSpanMs
    );
  }
}

function recorded({
  batch,
  fix,
  disposition,
  outlier,
  publishedLatDeg,
  publishedLonDeg,
}: ProcessedFix): RecordedFix {
  return {
    ...fix,
    sessionId: batch.sessionId,
    sessionEpoch: batch.sessionEpoch,
    clockOffsetMs: batch.clockOffsetMs,
    receivedAtMs: batch.receivedAtMs,
    publishedLatDeg,
    publishedLonDeg,
    late: disposition === "late",
    outlier,
    superseded: disposition === "superseded",
  };
}
