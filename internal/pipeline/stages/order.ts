import type { FixContext } from "../context.ts";

/** So many fixes in a row, newer by seq and older by time, mean that the device clock stepped back. */
const CLOCK_STEP_FIXES = 3;

/**
 * Decides whether the fix may move the marker. The newest session does, and within it the order is that of seq; but the
 * shown time never goes back either, so a fix that is newer by seq and older by time is late. When that happens several
 * times in a row, the device clock was set back: from then on the receipt time stands in for the start of the session's
 * new time line.
 */
export function order(context: FixContext): boolean {
  const { party, session, batch, fix } = context;
  context.atMs = fix.capturedAtMs + batch.clockOffsetMs + session.shiftMs;
  if (session !== party.sessions.at(-1)) {
    context.disposition = "superseded";
    return true;
  }
  if (fix.seq < session.highSeq) {
    context.disposition = "late";
    return true;
  }
  session.highSeq = fix.seq;
  if (context.atMs <= party.lastAtMs) {
    session.behind++;
    if (session.behind < CLOCK_STEP_FIXES || batch.receivedAtMs <= party.lastAtMs) {
      context.disposition = "late";
      return true;
    }
    session.shiftMs += batch.receivedAtMs - context.atMs;
    context.atMs = batch.receivedAtMs;
  }
  session.behind = 0;
  party.lastAtMs = context.atMs;
  context.disposition = "applied";
  return true;
}
