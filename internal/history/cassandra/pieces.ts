import type { RecordedFix, TrackChunk } from "../history.ts";
import { correctedAtMs } from "../merge.ts";

/**
 * All fixes of a row lie this close to its first_at, so that a search by it finds them; more than maxChunkSpanMs, so
 * that only chunks with fixes that came late make more than one row.
 */
export const SLACK_MS = 300_000;
export const DAY_MS = 86_400_000;

/** What becomes one row: the fixes of a chunk that lie near `nearMs`. */
export type Piece = { nearMs: number; chunk: TrackChunk };

/**
 * The chunk cut into rows: one, unless some of its fixes lie far from the first. Where a fix goes depends on itself and
 * on the chunk's key alone, so a chunk that grows writes the same rows again, and each of them only grows.
 */
export function toPieces(chunk: TrackChunk): Piece[] {
  const firstAtMs = Math.round(chunk.firstAtMs);
  if (chunk.maxAtMs - firstAtMs <= SLACK_MS && firstAtMs - chunk.minAtMs <= SLACK_MS)
    return [{ nearMs: firstAtMs, chunk }];
  const groups = new Map<number, RecordedFix[]>();
  for (const fix of chunk.fixes) {
    const atMs = correctedAtMs(fix);
    const nearMs =
      Math.abs(atMs - firstAtMs) <= SLACK_MS ? firstAtMs : Math.floor(atMs / SLACK_MS) * SLACK_MS;
    const group = groups.get(nearMs);
    if (group) group.push(fix);
    else groups.set(nearMs, [fix]);
  }
  return [...groups].map(([nearMs, fixes]) => ({ nearMs, chunk: withFixes(chunk, fixes) }));
}

function withFixes(chunk: TrackChunk, fixes: readonly RecordedFix[]): TrackChunk {
  const first = fixes[0]!;
  const times = fixes.map(correctedAtMs);
  return {
    ...chunk,
    firstAtMs: times[0]!,
    firstSeq: first.seq,
    minAtMs: Math.min(...times),
    maxAtMs: Math.max(...times),
    fixes,
  };
}

/** The partition of a row: days since 1970-01-01 UTC. */
export function dayOf(atMs: number): number {
  return Math.floor(atMs / DAY_MS);
}
