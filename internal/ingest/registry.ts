import { BimrideError } from "../core/errors.ts";
import { type Party, partyKey } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import type { Home } from "./homes.ts";
import type { HelloInput } from "./messages.ts";
import { newSessionState, type SessionState } from "./session-state.ts";

/** A stream as the registry sees it. */
export type RegisteredStream = {
  readonly state: SessionState | undefined;
  /** Another stream of the same session stands now: end without a word of supersession. */
  replaced(): void;
  /** A newer session of the party has this epoch: say so and end. */
  superseded(byEpoch: number): void;
  /** Called about once a second. */
  tick(): void;
  /** The spool drained: tell the client which of its buffered fixes the log has now. */
  tellDrained(): void;
  /** The gateway goes away: tell the client. */
  drain(reconnectWithinMs: number): void;
  /** End now with the error. */
  abort(error: BimrideError): void;
};

type PartyEntry = {
  /** Largest epoch seen, here or on the bus. */
  lastEpoch: number;
  /** Oldest use first; at most maxSessionsPerParty. */
  sessions: Map<string, SessionState>;
  /** At most one per session. */
  streams: Set<RegisteredStream>;
  lastUsedMs: number;
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
   * stream stays behind it, so that a backlog takes the marker from nobody; its own stream, should it open one, takes over.
   */
  batchSession(party: Party, hello: HelloInput): SessionState {
    const entry = this.#party(partyKey(party));
    const isNew = !entry.sessions.has(hello.sessionId);
    const epochs = [...entry.streams].flatMap((stream) => stream.state?.sessionEpoch ?? []);
    const lastEpoch = entry.lastEpoch;
    const state = this.session(party, hello);
    if (!isNew || epochs.length === 0) return state;
    entry.lastEpoch = lastEpoch;
    state.sessionEpoch = Math.min(...epochs) - 1;
    state.staysBehind = true;
    return state;
  }

  /**
   * Makes the stream the one of its session: an older stream of the session is replaced, streams of older sessions
   * are superseded. A session that was superseded itself takes over again (with a new epoch) when the newest has no
   * stream here; otherwise this throws SUPERSEDED, so that two devices that reconnect by themselves don't take turns.
   */
  attach(stream: RegisteredStream, state: SessionState): void {
    const entry = this.#party(state.partyKey);
    if (state.staysBehind) {
      state.staysBehind = false;
      state.sessionEpoch = this.#nextEpoch(entry);
    }
    if (state.sessionEpoch < entry.lastEpoch) {
      const newest = [...entry.streams].find((other) => other.state?.sessionEpoch === entry.lastEpoch);
      if (newest && newest !== stream && newest.state !== state) throw new BimrideError("SUPERSEDED");
      state.sessionEpoch = this.#nextEpoch(entry);
    }
    // First in, then the other out: a session that always has a stream is never told closed.
    entry.streams.add(stream);
    for (const other of entry.streams) {
      if (other !== stream && other.state === state) other.replaced();
    }
    this.supersedeOlder(state);
  }

  /** Ends the streams of the party's older sessions. */
  supersedeOlder(state: SessionState): void {
    for (const other of this.#parties.get(state.partyKey)?.streams ?? []) {
      if (other.state && other.state !== state && isOlder(other.state, state))
        other.superseded(state.sessionEpoch);
    }
  }

  /** True when the stream was the session's last one. */
  detach(stream: RegisteredStream, state: SessionState): boolean {
    const streams = this.#parties.get(state.partyKey)?.streams;
    if (!streams?.delete(stream)) return false;
    return ![...streams].some((other) => other.state === state);
  }

  /** True while a stream stands on the session. */
  isStreaming(state: SessionState): boolean {
    const streams = this.#parties.get(state.partyKey)?.streams ?? [];
    return [...streams].some((stream) => stream.state === state);
  }

  /** The largest epoch seen of the party. */
  newestEpoch(key: string): number {
    return this.#parties.get(key)?.lastEpoch ?? 0;
  }

  /** An epoch that another gateway gave. */
  sawEpoch(key: string, sessionEpoch: number): void {
    const entry = this.#parties.get(key);
    if (entry) entry.lastEpoch = Math.max(entry.lastEpoch, sessionEpoch);
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

/** True when session a may not move the marker any more because of b. */
function isOlder(a: SessionState, b: SessionState): boolean {
  return a.sessionEpoch < b.sessionEpoch || (a.sessionEpoch === b.sessionEpoch && a.sessionId < b.sessionId);
}
