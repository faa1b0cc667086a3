import type { FixContext } from "../context.ts";

/** So many batches in a row whose newest fix lies behind can mean that the device clock stepped back. */
const CLOCK_STEP_BATCHES = 3;

/**
 * Decides whether the fix may move the marker. The marker's session does, and within it the order is that of seq; but the
 * shown time never goes back either, so a fix that is newer by seq and older by time is late. Some clients number fixes
 * as they send them, so that such a fix may just be one that waited.
 *
 * The device clock is taken to have stepped back only when all of this holds ({@link steppedBack}); what came until then
 * is late. From then on the receipt time stands in for the start of the session's new time line (`shiftMs`). The stand-in
 * is too late by the delay of that one message, or wrong altogether, so it only ever shrinks: no fix is captured after
 * it was received, and one that would be takes the excess off. A clock that is set right again, and a gateway that
 * learns of the step later, thus end the shift by themselves.
 */
export function order(context: FixContext): boolean {
  const { party, session, batch, fix } = context;
  context.atMs = fix.capturedAtMs + batch.clockOffsetMs + session.shiftMs;
  if (session !== party.marker) {
    context.disposition = "superseded";
    return true;
  }
  if (fix.seq < session.highSeq) {
    context.disposition = "late";
    return true;
  }
  session.highSeq = fix.seq;
  if (session.shiftMs > 0 && context.atMs > batch.receivedAtMs) {
    const excessMs = Math.min(session.shiftMs, context.atMs - batch.receivedAtMs);
    session.shiftMs -= excessMs;
    context.atMs -= excessMs;
  }
  if (context.atMs <= party.lastAtMs) {
    if (!steppedBack(context)) {
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

/**
 * True when a fix that lies behind tells of a step of the device clock:
 * - the newest place is of the same session (a new one brings its own clock offset, and may bring what an older phone
 *   had not sent);
 * - several batches in a row brought nothing newer, at several times: what waited comes at once, and counts once;
 * - the marker has been silent for so long that it shows as delayed: a device that still sends live fixes beside those
 *   that waited moves it on, which ends the row.
 */
function steppedBack({ party, session, batch, fix, limits }: FixContext): boolean {
  if (batch.receivedAtMs <= party.lastSeenMs || batch.fixes.some((other) => other.seq > fix.seq))
    return false;
  session.behind++;
  return (
    party.latest?.sessionEpoch === session.epoch &&
    session.behind >= CLOCK_STEP_BATCHES &&
    batch.receivedAtMs - party.lastAtMs >= limits.delayedAfterMs
  );
}
