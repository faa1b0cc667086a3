import { partyKey } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import type { RecordedFix, TrackChunk } from "../history/history.ts";
import type { ProcessedFix } from "../pipeline/output.ts";
import { PackedFixes } from "./packed-fixes.ts";

/** A chunk that may still grow, or is still to be stored. */
export type OpenChunk = Omit<TrackChunk, "fixes"> & {
  readonly fixes: PackedFixes;
  /** Pipeline time. */
  openedAtMs: number;
  /** Monotonic time from which on its row is to be written (again). */
  dueMs: number;
};

/**
 * The history chunks of one partition that still grow: at most one per (party, session). A chunk closes at
 * maxFixesPerChunk fixes, when a fix lies more than maxChunkSpanMs from its first, or when it has been open for so long.
 * A chunk is written again as it grows (same key: the row is replaced), at once when it is closed and every `rewriteMs`
 * while it grows, so the stores lag by so much only.
 */
export class OpenChunks {
  readonly #limits: Limits;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #rewriteMs: number;
  readonly #random: () => number;
  readonly #open = new Map<string, OpenChunk>();
  readonly #dirty = new Set<OpenChunk>();

  constructor(
    limits: Limits,
    clock: Pick<Clock, "monotonic">,
    rewriteMs: number,
    random: () => number = Math.random,
  ) {
    this.#limits = limits;
    this.#clock = clock;
    this.#rewriteMs = rewriteMs;
    this.#random = random;
  }

  /** Takes chunks over from a snapshot. */
  restore(chunks: readonly TrackChunk[], nowMs: number): void {
    for (const chunk of chunks) {
      const fixes = new PackedFixes(chunk.sessionId);
      for (const fix of chunk.fixes) fixes.add(fix);
      const open = { ...chunk, fixes, openedAtMs: nowMs, dueMs: this.#firstDueMs() };
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
      if (chunk) chunk.dueMs = 0;
      chunk = {
        party: batch.party,
        sessionId: batch.sessionId,
        firstAtMs: atMs,
        firstSeq: fix.seq,
        firstSequence: sequence,
        minAtMs: atMs,
        maxAtMs: atMs,
        fixes: new PackedFixes(batch.sessionId),
        openedAtMs: pipelineTimeMs,
        dueMs: this.#firstDueMs(),
      };
      this.#open.set(key, chunk);
    }
    chunk.fixes.add(recorded(processed));
    chunk.minAtMs = Math.min(chunk.minAtMs, atMs);
    chunk.maxAtMs = Math.max(chunk.maxAtMs, atMs);
    if (chunk.fixes.length >= this.#limits.maxFixesPerChunk) chunk.dueMs = 0;
    this.#dirty.add(chunk);
  }

  /**
   * Chunks changed since they were taken last, to be stored; give each back with {@link retry} when that fails.
   * @param all also those whose time has not come
   */
  takeDirty(all: boolean): OpenChunk[] {
    const nowMs = this.#clock.monotonic();
    const taken = [...this.#dirty].filter((chunk) => all || chunk.dueMs <= nowMs);
    for (const chunk of taken) {
      chunk.dueMs = nowMs + this.#rewriteMs;
      this.#dirty.delete(chunk);
    }
    return taken;
  }

  retry(chunk: OpenChunk): void {
    chunk.dueMs = 0;
    this.#dirty.add(chunk);
  }

  /** Forgets chunks that have been open for so long that nothing may be added, once they are stored. */
  closeOld(pipelineTimeMs: number): void {
    for (const [key, chunk] of this.#open) {
      if (pipelineTimeMs - chunk.openedAtMs > this.#limits.maxChunkSpanMs && !this.#dirty.has(chunk))
        this.#open.delete(key);
    }
  }

  /** All that the stores may not have in full: what grows and what is still to be stored. */
  all(): OpenChunk[] {
    return [...new Set([...this.#dirty, ...this.#open.values()])];
  }

  /** Cars that begin together, and chunks that are taken over together, are not written all at once. */
  #firstDueMs(): number {
    return this.#clock.monotonic() + this.#rewriteMs * (1 - this.#random());
  }

  #hasRoom(chunk: OpenChunk, atMs: number, pipelineTimeMs: number): boolean {
    return (
      chunk.fixes.length < this.#limits.maxFixesPerChunk &&
      Math.abs(atMs - chunk.firstAtMs) <= this.#limits.maxChunkSpanMs &&
      pipelineTimeMs - chunk.openedAtMs <= this.#limits.maxChunkSpanMs
    );
  }
}

/** The chunk as it is now, for the store. */
export function trackChunk({ openedAtMs: _opened, dueMs: _due, fixes, ...chunk }: OpenChunk): TrackChunk {
  return { ...chunk, fixes: fixes.toArray() };
}

/** The fix as the record has it. */
export function recorded({
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
