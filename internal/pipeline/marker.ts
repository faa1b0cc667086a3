import type { Limits } from "../core/limits.ts";
import { noteTakeOver, takeOverWaitMs } from "../core/take-overs.ts";
import type { PartyState, SessionState } from "./state.ts";

/**
 * Decides at a record of the session whether that session moves the party's marker. The newest one does, as soon as it is
 * heard; but once others took over maxTakeOversPerWindow times within takeOverWindowMs, the one that has the marker keeps
 * it, and newer ones stay behind (their fixes are in history) until there is room again or its stream has closed. A session
 * whose stream has closed takes nothing over: what still comes of it had waited somewhere.
 * @param nowMs pipeline time
 */
export function movesMarker(
  party: PartyState,
  session: SessionState,
  nowMs: number,
  limits: Limits,
): boolean {
  const { marker, takeOvers } = party;
  if (marker === session) return true;
  if (marker === undefined) {
    party.marker = session;
    return true;
  }
  if (!isNewestOpen(party, session) || !isNewer(session, marker)) return false;
  if (!marker.closed && takeOverWaitMs(takeOvers, nowMs, limits) > 0) return false;
  noteTakeOver(takeOvers, nowMs, limits);
  party.marker = session;
  return true;
}

/** Order of the sessions of a party: by epoch, then by id. */
export function isNewer(a: SessionState, b: SessionState): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.sessionId > b.sessionId);
}

function isNewestOpen({ sessions }: PartyState, session: SessionState): boolean {
  for (let i = sessions.length - 1; i >= 0; i--) if (!sessions[i]!.closed) return sessions[i] === session;
  return false;
}
