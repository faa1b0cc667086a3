import { BimrideError } from "../core/errors.ts";
import { type Party, partyKey } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import type { PresentSession } from "../live/bus.ts";
import type { Revocation } from "../sessions/revocations.ts";
import type { Home } from "./homes.ts";
import { type Marker, MarkerView, type NamedSession } from "./marker-view.ts";
import type { HelloInput } from "./messages.ts";
import { newSessionState, type SessionState } from "./session-state.ts";

/** A stream as the registry sees it. */
export type RegisteredStream = {
  readonly state: SessionState | undefined;
  /** Another stream of the same session stands now: end without a word of supersession. */
  replaced(): void;
  /** Another session of the party, of this epoch, moves the marker: say so and end. @param retryAfterMs 0 when it may come back as it likes */
  superseded(byEpoch: number, retryAfterMs: number): void;
  /** Called about once a second. */
  tick(): void;
  /** The spool drained: tell the client which of its buffered fixes the log has now. */
  tellDrained(): void;
  /** The gateway goes away: tell the client. */
  drain(reconnectWithinMs: number): void;
  /** End now with the error. */
  abort(error: BimrideError): void;
  /** Ends with SESSION_REVOKED when the revocation concerns it. */
  revoked(revocation: Revocation): void;
  /** What the user is told of it; undefined when it is another's, or has no session yet. */
  present(user: string): PresentSession | undefined;
};

type PartyEntry = {
  /** Largest epoch seen, here or on the bus. */
  lastEpoch: number;
  /** Oldest use first; at most maxSessionsPerParty. */
  sessions: Map<string, SessionState>;
  /** At most one per session. */
  streams: Set<RegisteredStream>;
  marker: MarkerView;
  lastUsedMs: number;
};

type Standing = Exclude<PresentSession["standing"], "">;

/** Why a session may not take over: the one that does not give way, and for how long it can't be made to. */
export type Refusal = {
  byEpoch: number;
  /** Milliseconds; 0 as long as that one has its stream here. */
  retryAfterMs: number;
};

/**
 * Sessions that this gateway knows and the streams that are open on it. What is remembered of a party without a
 * stream is a convenience (resume, DUPLICATE instead of a second copy), never the truth, so it may be forgotten.
 */
export class SessionRegistry {
  readonly #homeOf: (hello: HelloInput) => Home;
  readonly #limits: Limits;
  readonly #clock: Clock;
  /** Oldest use first. */
  readonly #parties = new Map<string, PartyEntry>();
  readonly #streams = new Set<RegisteredStream>();

  /** @param homeOf where new sessions' records go */
  constructor(homeOf: (hello: HelloInput) => Home, limits: Limits, clock: Clock) {
    this.#homeOf = homeOf;
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Open streams, those still without a Hello included. */
  get streams(): ReadonlySet<RegisteredStream> {
    return this.#streams;
  }

  /** Parties remembered now. */
  get partyCount(): number {
    return this.#parties.size;
  }

  /** Counts a stream in. Throws OVERLOADED when there are maxIngestStreams. */
  add(stream: RegisteredStream): void {
    if (this.#streams.size >= this.#limits.maxIngestStreams) throw new BimrideError("OVERLOADED");
    this.#streams.add(stream);
  }

  /** The stream is gone; it has been detached before. */
  remove(stream: RegisteredStream): void {
    this.#streams.delete(stream);
  }

  /** The session of a Hello, new or as it was. */
  session(party: Party, hello: HelloInput): SessionState {
    const entry = this.#party(partyKey(party));
    let state = entry.sessions.get(hello.sessionId);
    if (state) entry.sessions.delete(hello.sessionId);
    else state = this.#newState(party, hello, entry);
    state.deviceId = hello.deviceId;
    state.appVersion = hello.appVersion;
    entry.sessions.set(hello.sessionId, state);
    this.#forgetSessions(entry);
    return state;
  }

  /**
   * The session of a batch that comes without a stream. One that is new here while another session of the party has a
   * stream, or while take-overs are refused, stays behind it, so that a backlog takes the marker from nobody; its own
   * stream, should it open one, takes over.
   */
  batchSession(party: Party, hello: HelloInput): SessionState {
    const entry = this.#party(partyKey(party));
    const isNew = !entry.sessions.has(hello.sessionId);
    const epochs = [...entry.streams].flatMap((stream) => stream.state?.sessionEpoch ?? []);
    const lastEpoch = entry.lastEpoch;
    const state = this.session(party, hello);
    const waitMs = entry.marker.waitMs(hello.sessionId, this.#clock.now());
    if (waitMs > 0) epochs.push(entry.marker.sessionEpoch);
    if (!isNew || epochs.length === 0) return state;
    entry.lastEpoch = lastEpoch;
    stayBehind(state, Math.min(...epochs));
    return state;
  }

  /**
   * Makes the stream the one of its session: an older stream of the session is replaced, streams of older sessions
   * are superseded. A session that was superseded itself takes over again (with a new epoch) when the newest has no
   * stream here; otherwise it is refused, so that two devices that reconnect by themselves don't take turns. So is any
   * session while the party's take-overs are at their bound. Nothing is attached then.
   */
  attach(stream: RegisteredStream, state: SessionState): Refusal | undefined {
    const entry = this.#party(state.partyKey);
    const { marker } = entry;
    if (state.sessionEpoch < entry.lastEpoch && !state.staysBehind) {
      const newest = [...entry.streams].find((other) => other.state?.sessionEpoch === entry.lastEpoch);
      if (newest && newest !== stream && newest.state !== state)
        return { byEpoch: entry.lastEpoch, retryAfterMs: 0 };
    }
    const retryAfterMs = marker.waitMs(state.sessionId, this.#clock.now());
    if (retryAfterMs > 0) {
      if (marker.isOlderThan(state)) stayBehind(state, marker.sessionEpoch);
      return { byEpoch: marker.sessionEpoch, retryAfterMs };
    }
    if (state.staysBehind || state.sessionEpoch < entry.lastEpoch) this.#renew(entry, state);
    state.staysBehind = false;
    // First in, then the other out: a session that always has a stream is never told closed.
    entry.streams.add(stream);
    for (const other of entry.streams) {
      if (other !== stream && other.state === state) other.replaced();
    }
    this.supersedeOlder(state);
    return undefined;
  }

  /** The session opened: ends the streams of the party's older sessions. */
  supersedeOlder(state: SessionState): void {
    const entry = this.#party(state.partyKey);
    entry.marker.opened(state, this.#clock.now());
    for (const other of entry.streams) {
      if (other.state && other.state !== state && isOlder(other.state, state))
        other.superseded(state.sessionEpoch, 0);
    }
  }

  /** True when the stream was the session's last one. */
  detach(stream: RegisteredStream, state: SessionState): boolean {
    const streams = this.#parties.get(state.partyKey)?.streams;
    if (!streams?.delete(stream)) return false;
    const isLast = ![...streams].some((other) => other.state === state);
    if (isLast) this.#parties.get(state.partyKey)?.marker.closed(state.sessionId);
    return isLast;
  }

  /** True while a stream stands on the session. */
  isStreaming(state: SessionState): boolean {
    const streams = this.#parties.get(state.partyKey)?.streams ?? [];
    return [...streams].some((stream) => stream.state === state);
  }

  /**
   * Another gateway opened a session of the party. Answers who moves the marker now, when that was the session given: the
   * other one, or the session given itself, with a new epoch, while take-overs are at their bound.
   */
  openedElsewhere(state: SessionState, opened: NamedSession): Marker | undefined {
    const entry = this.#party(state.partyKey);
    entry.lastEpoch = Math.max(entry.lastEpoch, opened.sessionEpoch);
    const { marker } = entry;
    const nowMs = this.#clock.now();
    const wasHere = marker.isOf(state.sessionId) && marker.isOlderThan(opened);
    if (wasHere && marker.waitMs(opened.sessionId, nowMs) > 0) {
      this.#renew(entry, state);
      marker.keeps(state);
    } else marker.opened(opened, nowMs);
    return wasHere ? marker.told : undefined;
  }

  /**
   * The gateway where the marker was says who moves it now. When that is not the session given: how long that one can't
   * take it over, milliseconds; undefined when it is, or when the news is old.
   */
  markerTold(state: SessionState, told: Marker): number | undefined {
    const entry = this.#party(state.partyKey);
    entry.lastEpoch = Math.max(entry.lastEpoch, told.sessionEpoch);
    entry.marker.hear(told);
    if (told.sessionId === state.sessionId || told.sessionEpoch < state.sessionEpoch) return undefined;
    return entry.marker.waitMs(state.sessionId, this.#clock.now());
  }

  /** Where the session stands among the party's. */
  standingOf({ partyKey: key, sessionId }: SessionState): Standing {
    const marker = this.#parties.get(key)?.marker;
    if (!marker?.isOf(sessionId)) return "behind";
    return marker.isContested(this.#clock.now()) ? "contested" : "movesMarker";
  }

  /** Lets every stream tell its client what left the spool. */
  tellDrained(): void {
    for (const stream of [...this.#streams]) stream.tellDrained();
  }

  /** Lets every stream look at its clocks, and forgets parties that were silent for partyIdleMs. */
  sweep(): void {
    for (const stream of [...this.#streams]) stream.tick();
    const oldestMs = this.#clock.now() - this.#limits.partyIdleMs;
    for (const [key, entry] of this.#parties) {
      if (entry.lastUsedMs > oldestMs) break;
      if (entry.streams.size === 0) this.#parties.delete(key);
    }
  }

  #party(key: string): PartyEntry {
    const entry = this.#parties.get(key) ?? {
      lastEpoch: 0,
      sessions: new Map(),
      streams: new Set(),
      marker: new MarkerView(this.#limits),
      lastUsedMs: 0,
    };
    entry.lastUsedMs = this.#clock.now();
    this.#parties.delete(key);
    this.#parties.set(key, entry);
    if (this.#parties.size > this.#limits.maxKnownParties) this.#forgetOneParty();
    return entry;
  }

  #newState(party: Party, hello: HelloInput, entry: PartyEntry): SessionState {
    const nowMs = this.#clock.now();
    return newSessionState(party, hello, this.#nextEpoch(entry), this.#homeOf(hello), nowMs, this.#limits);
  }

  #renew(entry: PartyEntry, state: SessionState): void {
    state.sessionEpoch = this.#nextEpoch(entry);
  }

  #nextEpoch(entry: PartyEntry): number {
    entry.lastEpoch = Math.max(Math.round(this.#clock.now()), entry.lastEpoch + 1);
    return entry.lastEpoch;
  }

  #forgetOneParty(): void {
    for (const [key, entry] of this.#parties) {
      if (entry.streams.size > 0) continue;
      this.#parties.delete(key);
      return;
    }
  }

  #forgetSessions(entry: PartyEntry): void {
    const busy = new Set([...entry.streams].map((stream) => stream.state?.sessionId));
    for (const id of entry.sessions.keys()) {
      if (entry.sessions.size <= this.#limits.maxSessionsPerParty) return;
      if (!busy.has(id)) entry.sessions.delete(id);
    }
  }
}

/** The session's fixes move no marker: its epoch is below that of others. */
function stayBehind(state: SessionState, othersEpoch: number): void {
  state.sessionEpoch = othersEpoch - 1;
  state.staysBehind = true;
}

/** True when session a may not move the marker any more because of b. */
function isOlder(a: SessionState, b: SessionState): boolean {
  return a.sessionEpoch < b.sessionEpoch || (a.sessionEpoch === b.sessionEpoch && a.sessionId < b.sessionId);
}
