import { type FixBatch, type Party, partyKey } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { DeviceStatus } from "../core/live.ts";
import { SeqIntervals } from "../core/seq-intervals.ts";
import type { LogRecord } from "../eventlog/record.ts";
import { emit } from "./context.ts";
import { isNewer, movesMarker } from "./marker.ts";
import type { PipelineOutput } from "./output.ts";
import { createPositionState } from "./stages/position.ts";
import type { PartitionState, PartyState, SessionState } from "./state.ts";

type RecordOf<Kind extends LogRecord["kind"]> = Extract<LogRecord, { kind: Kind }>;
type Entry = { sequence: number };
const NOTHING_KNOWN: DeviceStatus = Object.freeze({
  state: Object.freeze({}),
  connected: true,
  lost: false,
  mockFix: false,
  atMs: 0,
});

/** The party's state, made when it is new. Who takes a record of the party in sets `lastSeenMs` afterwards. */
export function partyOf(state: PartitionState, party: Party): PartyState {
  const parties = state.parties[party.kind];
  let found = parties.get(party.id);
  if (!found) {
    found = {
      party,
      key: partyKey(party),
      sessions: [],
      marker: undefined,
      takeOvers: [],
      lastAtMs: 0,
      lastSeenMs: 0,
      position: createPositionState(),
      device: undefined,
      latest: undefined,
      trip: party.kind === "driver" ? state.tripOfDriver.get(party.id) : undefined,
    };
    parties.set(party.id, found);
  }
  return found;
}

/**
 * The session's state, put in its place by (epoch, session id). A session that opened again with a larger epoch moves up.
 * The one that moves the marker is never forgotten.
 */
export function sessionOf(
  party: PartyState,
  { sessionId, sessionEpoch }: Pick<FixBatch, "sessionId" | "sessionEpoch">,
  limits: Limits,
): SessionState {
  const { sessions } = party;
  const last = sessions.at(-1);
  if (last?.sessionId === sessionId && last.epoch >= sessionEpoch) return last;
  let session = sessions.find((candidate) => candidate.sessionId === sessionId);
  if (session && session.epoch >= sessionEpoch) return session;
  if (session) session.epoch = sessionEpoch;
  else {
    const seen = new SeqIntervals(limits.maxDedupeIntervals);
    session = { sessionId, epoch: sessionEpoch, closed: false, seen, highSeq: -1, behind: 0, shiftMs: 0 };
    sessions.push(session);
  }
  sessions.sort((a, b) => (isNewer(a, b) ? 1 : -1));
  if (sessions.length > limits.maxSessionsPerParty) sessions.splice(sessions[0] === party.marker ? 1 : 0, 1);
  return session;
}

/** A session opened or its stream closed. */
export function sessionChanged(
  state: PartitionState,
  entry: Entry,
  record: RecordOf<"sessionOpened">,
  limits: Limits,
  out: PipelineOutput,
): void {
  const party = partyOf(state, record.party);
  party.lastSeenMs = state.pipelineTimeMs;
  const session = sessionOf(party, record, limits);
  // The end of an earlier stream, from another gateway, says nothing of the one that stands.
  if (record.sessionEpoch < session.epoch) return;
  session.closed = record.closed;
  if (!movesMarker(party, session, state.pipelineTimeMs, limits)) return;
  const [connected, lost] = [!record.closed, record.closed && record.lost];
  const known = party.device ?? NOTHING_KNOWN;
  if (party.device && known.connected === connected && known.lost === lost) return;
  setDevice(entry, party, { ...known, connected, lost, atMs: record.receivedAtMs }, out);
}

/** Fixes of the session came: it may move the marker from now on, and then its device is there. */
export function fixesCame(
  state: PartitionState,
  entry: Entry,
  party: PartyState,
  session: SessionState,
  limits: Limits,
  out: PipelineOutput,
): void {
  const before = party.marker;
  if (before === session || !movesMarker(party, session, state.pipelineTimeMs, limits)) return;
  if (before !== undefined && party.device?.connected === false)
    setDevice(entry, party, { ...NOTHING_KNOWN, atMs: state.pipelineTimeMs }, out);
}

/** A device told of itself; what another session than the marker's says is not news. */
export function deviceReported(
  state: PartitionState,
  entry: Entry,
  record: RecordOf<"deviceState">,
  limits: Limits,
  out: PipelineOutput,
): void {
  const party = partyOf(state, record.party);
  party.lastSeenMs = state.pipelineTimeMs;
  const session = sessionOf(party, record, limits);
  if (!movesMarker(party, session, state.pipelineTimeMs, limits)) return;
  const mockFix = party.device?.mockFix ?? false;
  const { state: reported, receivedAtMs: atMs } = record;
  setDevice(entry, party, { state: reported, connected: true, lost: false, mockFix, atMs }, out);
}

/** The newest fix says whether it is made up: news only when the one before said otherwise. */
export function mockFixSeen(party: PartyState, mockFix: boolean, atMs: number): void {
  if ((party.device?.mockFix ?? false) === mockFix) return;
  party.device = { ...(party.device ?? NOTHING_KNOWN), mockFix, atMs };
}

function setDevice(entry: Entry, party: PartyState, device: DeviceStatus, out: PipelineOutput): void {
  party.device = device;
  const { trip } = party;
  if (!trip) return;
  trip.live.device = device;
  emit({ out, sequence: entry.sequence }, trip).device = device;
}
