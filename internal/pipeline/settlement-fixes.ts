import type { RecordedFix } from "../history/history.ts";

/** Fixes of one party in order of corrected capture time, each once, and those times. */
export type Sequence = { fixes: RecordedFix[]; times: Float64Array };

/** Corrected capture time: server time, milliseconds since 1970. */
export function timeOf(fix: RecordedFix): number {
  return fix.capturedAtMs + fix.clockOffsetMs;
}

/**
 * One sequence out of whatever was recorded of a party, whatever the order it came in.
 *
 * - A fix given more than once, by (session, seq): the first by received time stays; where that ties, the smaller by time,
 *   place and so on, so that the choice never depends on the order of the input.
 * - Sessions that overlap (two phones, an app that was started again): a fix is left out while a newer session has sent
 *   one in the `ruleMs` before it; newer is the larger epoch, then the larger session id, as on the live map. A session
 *   that ended, or had not begun, drives nobody out: what an older one recorded before, or long after, is all there is.
 */
export function mainSequence(recorded: readonly RecordedFix[], ruleMs: number): Sequence {
  const first = new Map<string, Map<number, RecordedFix>>();
  for (const fix of recorded) {
    const session = first.get(fix.sessionId) ?? new Map<number, RecordedFix>();
    if (session.size === 0) first.set(fix.sessionId, session);
    const known = session.get(fix.seq);
    if (!known || compareCopies(fix, known) < 0) session.set(fix.seq, fix);
  }
  const fixes: RecordedFix[] = [];
  for (const session of first.values()) fixes.push(...session.values());
  fixes.sort((a, b) => timeOf(a) - timeOf(b) || compareSessions(b, a) || a.seq - b.seq);
  const kept = withoutSuperseded(fixes, ruleMs);
  return { fixes: kept, times: Float64Array.from(kept, timeOf) };
}

/** The fixes that no newer session rules out. The newest session of the last ruleMs is the head of a falling queue. */
function withoutSuperseded(fixes: readonly RecordedFix[], ruleMs: number): RecordedFix[] {
  const rulers: RecordedFix[] = [];
  let head = 0;
  return fixes.filter((fix) => {
    while (head < rulers.length && timeOf(rulers[head]!) < timeOf(fix) - ruleMs) head++;
    while (rulers.length > head && compareSessions(rulers.at(-1)!, fix) <= 0) rulers.pop();
    rulers.push(fix);
    return compareSessions(rulers[head]!, fix) === 0;
  });
}

function compareSessions(a: RecordedFix, b: RecordedFix): number {
  return (
    a.sessionEpoch - b.sessionEpoch || (a.sessionId < b.sessionId ? -1 : a.sessionId > b.sessionId ? 1 : 0)
  );
}

function compareCopies(a: RecordedFix, b: RecordedFix): number {
  return (
    compare(a.receivedAtMs, b.receivedAtMs) ||
    compare(a.capturedAtMs, b.capturedAtMs) ||
    compare(a.clockOffsetMs, b.clockOffsetMs) ||
    compare(a.sessionEpoch, b.sessionEpoch) ||
    compare(a.latDeg, b.latDeg) ||
    compare(a.lonDeg, b.lonDeg) ||
    compare(a.accuracyM, b.accuracyM) ||
    compare(a.speedMps, b.speedMps) ||
    compare(a.headingDeg, b.headingDeg)
  );
}

/** Rising, NaN last. */
function compare(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}
