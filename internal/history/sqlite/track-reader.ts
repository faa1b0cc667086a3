import type { DatabaseSync, StatementSync } from "node:sqlite";
import { type Party, partyKey } from "../../core/fix.ts";
import { decodeChunk, encodeChunk } from "../codec.ts";
import type { ChunkQuery, RecordedFix, TrackQuery } from "../history.ts";
import { correctedAtMs, isAsked, mergeFixes, trackKey } from "../merge.ts";

/**
 * A chunk whose fixes all lie this close to its first_at_ms is found by it; others are marked wide and looked through
 * one by one. More than maxChunkSpanMs, so that only chunks with late fixes in them are wide.
 */
export const SLACK_MS = 300_000;
/**
 * Repeats of a fix are told as such when their corrected times (which differ when the session's clock offset was
 * estimated anew between them) lie this close together.
 */
const REPEAT_MARGIN_MS = 300_000;
/** Chunks looked at together: bounds the memory of a query over a long range. Doubles where they lie very close. */
const MIN_CHUNKS_PER_WINDOW = 32;
const MAX_CHUNKS_PER_WINDOW = 256;
/** Fixes further apart than this go into another run, whose differences then fit in 32 bits. */
const MAX_RUN_GAP_MS = 86_400_000;

type Window = { untilMs: number; last: boolean; fixes: RecordedFix[] };

/** Answers `track` by going through the party's chunks in windows of time, oldest first. */
export class TrackReader {
  readonly #near: StatementSync;
  readonly #wide: StatementSync;
  readonly #stored: StatementSync;

  constructor(db: DatabaseSync) {
    this.#near = db.prepare(`
      SELECT first_at_ms, fixes FROM chunks WHERE party = ? AND first_at_ms BETWEEN ? AND ? AND wide = 0
      ORDER BY first_at_ms LIMIT ?`);
    this.#stored = db.prepare(`
      SELECT fixes FROM chunks WHERE party = :party AND min_at_ms <= :toMs AND max_at_ms >= :fromMs
        AND (wide = 1 OR first_at_ms BETWEEN :fromMs - ${SLACK_MS} AND :toMs + ${SLACK_MS})`);
    this.#wide = db.prepare(
      "SELECT fixes FROM chunks WHERE party = ? AND wide = 1 AND min_at_ms <= ? AND max_at_ms >= ?",
    );
  }

  /** The party's chunks as stored that reach into the range. */
  stored({ party, fromMs, toMs }: ChunkQuery): Uint8Array[] {
    const rows = this.#stored.all({ party: partyKey(party), fromMs, toMs });
    return rows.map(({ fixes }) => fixes as Uint8Array);
  }

  read(query: TrackQuery): RecordedFix[] {
    const page: RecordedFix[] = [];
    let fromMs = Math.max(query.fromMs, query.after?.atMs ?? query.fromMs);
    while (fromMs <= query.toMs && page.length < query.limit) {
      const { untilMs, last, fixes } = this.#window(query, fromMs);
      for (const fix of mergeFixes(fixes)) {
        const atMs = correctedAtMs(fix);
        if (atMs < fromMs || (!last && atMs >= untilMs) || !isAsked(query, trackKey(fix))) continue;
        page.push(fix);
        if (page.length === query.limit) break;
      }
      if (last) break;
      fromMs = untilMs;
    }
    return page;
  }

  /** The longest window from `fromMs` on whose chunks, and those with possible repeats beside it, are few enough. */
  #window(query: TrackQuery, fromMs: number): Window {
    const party = partyKey(query.party);
    const reachMs = SLACK_MS + REPEAT_MARGIN_MS;
    for (let limit = chunksPerWindow(query.limit); ; limit *= 2) {
      const rows = this.#near.all(party, fromMs - reachMs, query.toMs + reachMs, limit);
      const last = rows.length < limit;
      const untilMs = last ? query.toMs : Number(rows.at(-1)!.first_at_ms) - reachMs;
      if (!last && untilMs <= fromMs) continue;
      const wide = this.#wide.all(party, untilMs + REPEAT_MARGIN_MS, fromMs - REPEAT_MARGIN_MS);
      const fixes: RecordedFix[] = [];
      for (const row of [...rows, ...wide])
        for (const fix of decodeChunk(row.fixes as Uint8Array).fixes) fixes.push(fix);
      return { untilMs, last, fixes };
    }
  }
}

/** Enough for the page where chunks are full, with what lies beside it. */
function chunksPerWindow(limit: number): number {
  return Math.min(MAX_CHUNKS_PER_WINDOW, Math.max(MIN_CHUNKS_PER_WINDOW, Math.ceil(limit / 30)));
}

/** The fixes in order as encoded chunks: cheaper to hand to another thread than objects. */
export function toRuns(party: Party, fixes: readonly RecordedFix[]): Uint8Array[] {
  const runs: Uint8Array[] = [];
  for (let start = 0; start < fixes.length; ) {
    let end = start + 1;
    while (end < fixes.length && fits(fixes[end - 1]!, fixes[end]!)) end++;
    const first = fixes[start]!;
    const firstAtMs = correctedAtMs(first);
    runs.push(
      encodeChunk({
        party,
        sessionId: first.sessionId,
        firstAtMs,
        firstSeq: first.seq,
        firstSequence: 0,
        minAtMs: firstAtMs,
        maxAtMs: correctedAtMs(fixes[end - 1]!),
        fixes: fixes.slice(start, end),
      }),
    );
    start = end;
  }
  return runs;
}

function fits(before: RecordedFix, fix: RecordedFix): boolean {
  return before.sessionId === fix.sessionId && correctedAtMs(fix) - correctedAtMs(before) <= MAX_RUN_GAP_MS;
}
