import { type FixBatch, type Party, partyKey } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { DeviceStatus } from "../core/live.ts";
import { SeqIntervals } from "../core/seq-intervals.ts";
import type { LogRecord } from "../eventlog/record.ts";
import { emit } from "./context.ts";
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
 * The session's state, put in its place by (epoch, session id): the last one moves the marker. A session that opened
 * again with a larger epoch moves up.
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
    session = { sessionId, epoch: sessionEpoch, seen, highSeq: -1, behind: 0, shiftMs: 0 };
    sessions.push(session);
  }
  sessions.sort((a, b) => a.epoch - b.epoch || (a.sessionId < b.sessionId ? -1 : 1));
  if (sessions.length > limits.maxSessionsPerParty) sessions.shift();
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
  if (session !== party.sessions.at(-1)) return;
  const [connected, lost] = [!record.closed, record.closed && record.lost];
  const known = party.device ?? NOTHING_KNOWN;
  if (party.device && known.connected === connected && known.lost === lost) return;
  setDevice(entry, party, { ...known, connected, lost, atMs: record.receivedAtMs }, out);
}

/** A device told of itself; what an older session says is not news. */
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
  if (session !== party.sessions.at(-1)) return;
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
