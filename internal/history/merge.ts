import type { RecordedFix, TrackQuery } from "./history.ts";

/** The place of a fix in the order of `track`: corrected capture time, session, number. */
export type TrackKey = { atMs: number; sessionId: string; seq: number };

/** The corrected capture time: device time plus the clock offset as applied. */
export function correctedAtMs(fix: RecordedFix): number {
  return fix.capturedAtMs + fix.clockOffsetMs;
}

/** The fix's place in the order of `track`. */
export function trackKey(fix: RecordedFix): TrackKey {
  return { atMs: correctedAtMs(fix), sessionId: fix.sessionId, seq: fix.seq };
}

/** Negative when a comes before b in the order of `track`. */
export function compareTrackKeys(a: TrackKey, b: TrackKey): number {
  return (
    a.atMs - b.atMs || (a.sessionId < b.sessionId ? -1 : a.sessionId > b.sessionId ? 1 : 0) || a.seq - b.seq
  );
}

/**
 * The one fix per (session, seq) that `track` gives, in its order: of repeats the first by received time, with what
 * viewers were shown from whichever has it. Equal for any order of the input.
 */
export function mergeFixes(fixes: Iterable<RecordedFix>): RecordedFix[] {
  const bySession = new Map<string, Map<number, RecordedFix>>();
  for (const fix of [...fixes].sort(compareRepeats)) {
    let bySeq = bySession.get(fix.sessionId);
    if (!bySeq) {
      bySeq = new Map();
      bySession.set(fix.sessionId, bySeq);
    }
    const earlier = bySeq.get(fix.seq);
    bySeq.set(fix.seq, earlier ? withPublished(earlier, fix) : fix);
  }
  const merged: RecordedFix[] = [];
  for (const bySeq of bySession.values()) for (const fix of bySeq.values()) merged.push(fix);
  return merged.sort(
    (a, b) => correctedAtMs(a) - correctedAtMs(b) || compareTrackKeys(trackKey(a), trackKey(b)),
  );
}

function withPublished(kept: RecordedFix, repeat: RecordedFix): RecordedFix {
  if (!Number.isNaN(kept.publishedLatDeg) || Number.isNaN(repeat.publishedLatDeg)) return kept;
  return { ...kept, publishedLatDeg: repeat.publishedLatDeg, publishedLonDeg: repeat.publishedLonDeg };
}

/** By received time; equal ones by what else may differ, so that the result depends on no order of the input. */
function compareRepeats(a: RecordedFix, b: RecordedFix): number {
  return (
    a.receivedAtMs - b.receivedAtMs ||
    correctedAtMs(a) - correctedAtMs(b) ||
    a.sessionEpoch - b.sessionEpoch ||
    a.latDeg - b.latDeg ||
    a.lonDeg - b.lonDeg ||
    Number(Number.isNaN(a.publishedLatDeg)) - Number(Number.isNaN(b.publishedLatDeg)) ||
    a.publishedLatDeg - b.publishedLatDeg ||
    0
  );
}

/** Whether the query asks for the fix, `limit` aside. */
export function isAsked(query: TrackQuery, key: TrackKey): boolean {
  if (key.atMs < query.fromMs || key.atMs > query.toMs) return false;
  return !query.after || compareTrackKeys(key, query.after) > 0;
}
