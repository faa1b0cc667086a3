/**
 * The ingest session: what a stream of any transport does between Hello and its end. It knows core types only;
 * transports turn frames into {@link ClientMessage}s and {@link ServerMessage}s into frames.
 *
 * Every bound on the way in (names as in core/limits.ts), and what happens there:
 *
 * | bound | at it |
 * |---|---|
 * | maxMessageBytes | gRPC and WebSocket: the stream ends with MESSAGE_TOO_LARGE; HTTP answers 413 |
 * | maxJsonBodyBytes (HTTP JSON only) | 413 MESSAGE_TOO_LARGE |
 * | maxFixesPerMessage, maxFixesPerBatch | BATCH_TOO_LARGE, nothing of the batch stored, the stream goes on |
 * | maxFixesPerSecondPerSession, maxFixBurstPerSession | RATE_LIMITED verdicts with retry_after_ms |
 * | maxPendingFixesPerSession | RATE_LIMITED verdicts with retry_after_ms |
 * | maxControlMessagesPerSecond, maxControlBurst | Hello, DeviceState and TokenRefresh beyond: Problem RATE_LIMITED, the message is dropped, the stream goes on |
 * | maxPendingLogBytes | verdicts withheld: Problem LOG_UNAVAILABLE on streams, 503 on HTTP |
 * | maxUnreadAnswerBytes | the stream ends with CLIENT_TOO_SLOW |
 * | MAX_HELD_ANSWERS before Welcome | the stream ends with CLIENT_TOO_SLOW |
 * | helloTimeoutMs | the stream ends with HELLO_EXPECTED |
 * | ingestIdleTimeoutMs | the stream ends with IDLE_TIMEOUT |
 * | the token's expiry without a TokenRefresh | the stream ends with TOKEN_EXPIRED |
 * | maxIngestStreams | a new stream is refused with OVERLOADED |
 * | maxDedupeIntervals | the lowest interval of durable seqs is forgotten: repeats of those are stored again, which readers of the log bear |
 * | maxSessionsPerParty, maxKnownParties, partyIdleMs | the longest unused without a stream are forgotten: they lose resume_after_seq and DUPLICATE verdicts, nothing else |
 * | READ_TIMEOUT_MS of the trips store | Welcome goes without an assignment; it follows when the store answers |
 */
import type { Authenticator, Principal } from "../auth/principal.ts";
import { asBimrideError, BimrideError } from "../core/errors.ts";
import type { Party } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import type { LiveBus, PartyMessage, Subscription } from "../live/bus.ts";
import type { Trips } from "../trips/trips.ts";
import type { Announcer } from "./announcer.ts";
import { AssignmentFeed, withinReadTime } from "./assignment.ts";
import type { IngestEvents, Transport } from "./events.ts";
import type { Intake } from "./intake.ts";
import type { Assignment, BatchInput, ClientMessage, HelloInput, ServerMessage } from "./messages.ts";
import type { RegisteredStream, SessionRegistry } from "./registry.ts";
import type { SessionState } from "./session-state.ts";
import { TokenBucket } from "./token-bucket.ts";
import { batteryFaultOf, helloFaultOf } from "./validate.ts";
import { wantedRateFor } from "./wanted-rate.ts";

/** Answers held back while the Welcome is being made. */
const MAX_HELD_ANSWERS = 1_000;
/** A client that names an older assignment gets the newest again, not more often than this. */
const RESEND_ASSIGNMENT_MS = 10_000;

export type SessionDeps = {
  intake: Intake;
  announcer: Announcer;
  registry: SessionRegistry;
  bus: LiveBus;
  trips: Trips;
  authenticator: Authenticator;
  clock: Clock;
  ioClock: Clock;
  limits: Limits;
  region: string;
  events: IngestEvents;
};

/** The transport's end of a stream. */
export type StreamPort = {
  /** Queues a message. The transport itself ends streams whose clients leave too much unread. */
  send(message: ServerMessage): void;
  /** Ends the stream after what was sent; undefined is a normal end. Called once. */
  end(error: BimrideError | undefined): void;
};

/** Who opens a stream over what. @property traceparent W3C trace context, or empty */
export type StreamOptions = {
  principal: Principal;
  transport: Transport;
  traceparent: string;
  port: StreamPort;
};

/** One stream. Its transport calls {@link receive}, {@link finish} and {@link closed}. */
export class IngestSession implements RegisteredStream {
  readonly #deps: SessionDeps;
  readonly #transport: Transport;
  readonly #traceparent: string;
  readonly #port: StreamPort;
  readonly #control: TokenBucket;
  readonly #openedMs: number;
  #principal: Principal;
  #phase: "greeting" | "opening" | "open" | "ended" = "greeting";
  #state: SessionState | undefined;
  #feed: AssignmentFeed | undefined;
  #subscription: Subscription | undefined;
  #held: ServerMessage[] = [];
  #outstanding = 0;
  #finishing = false;
  #lastMessageMs: number;
  #assignmentSentMs = 0;

  /** Use `Ingest.openSession`. */
  constructor(deps: SessionDeps, options: StreamOptions) {
    this.#deps = deps;
    this.#principal = options.principal;
    this.#transport = options.transport;
    this.#traceparent = options.traceparent;
    this.#port = options.port;
    this.#openedMs = deps.ioClock.monotonic();
    this.#lastMessageMs = this.#openedMs;
    const { maxControlMessagesPerSecond, maxControlBurst } = deps.limits;
    this.#control = new TokenBucket(maxControlMessagesPerSecond, maxControlBurst, this.#openedMs);
  }

  get state(): SessionState | undefined {
    return this.#state;
  }

  /** Takes one decoded message. Never throws: what is wrong with it goes to the client. */
  receive(message: ClientMessage): void {
    if (this.#phase === "ended") return;
    this.#lastMessageMs = this.#deps.ioClock.monotonic();
    if (this.#expired()) {
      this.abort(new BimrideError("TOKEN_EXPIRED"));
      return;
    }
    if (message.kind === "undecodable") {
      this.#refuse(message.error, message.batchId);
      return;
    }
    if (message.kind === "fixes") {
      this.#takeFixes(message);
      return;
    }
    if (message.kind !== "hello" && !this.#state) {
      this.abort(new BimrideError("HELLO_EXPECTED"));
      return;
    }
    if (this.#control.take(1, this.#lastMessageMs) === 0) {
      this.#refuse(new BimrideError("RATE_LIMITED"));
      return;
    }
    if (message.kind === "hello") this.#hello(message);
    else if (message.kind === "deviceState") this.#deviceState(message.state);
    else void this.#refreshToken(message.token);
  }

  /** The client sends nothing more: the stream ends once everything is answered. */
  finish(): void {
    this.#finishing = true;
    this.#endWhenAnswered();
  }

  /** The transport lost the stream; nothing can be sent any more. */
  closed(): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    this.#release();
  }

  /** Ends the stream now, with a Problem. */
  abort(error: BimrideError): void {
    if (this.#phase === "ended") return;
    this.#deps.events.problem(this.#transport, error.code, error.cause);
    this.#flushHeld();
    this.#port.send(problemOf(error, 0));
    this.#end(error);
  }

  replaced(): void {
    this.#end(undefined);
  }

  superseded(byEpoch: number): void {
    if (this.#phase === "ended" || !this.#state) return;
    const { events } = this.#deps;
    events.problem(this.#transport, "SUPERSEDED");
    events.sessionSuperseded(this.#state.partyKey, this.#state.sessionId, byEpoch);
    this.#flushHeld();
    this.#port.send({ kind: "superseded", sessionEpoch: byEpoch });
    this.#end(new BimrideError("SUPERSEDED"));
  }

  tick(): void {
    const { ioClock, limits } = this.#deps;
    const nowMs = ioClock.monotonic();
    if (this.#phase === "ended") return;
    if (this.#expired()) this.abort(new BimrideError("TOKEN_EXPIRED"));
    else if (!this.#state && nowMs - this.#openedMs >= limits.helloTimeoutMs)
      this.abort(new BimrideError("HELLO_EXPECTED"));
    else if (nowMs - this.#lastMessageMs >= limits.ingestIdleTimeoutMs)
      this.abort(new BimrideError("IDLE_TIMEOUT"));
  }

  drain(reconnectWithinMs: number): void {
    if (this.#phase !== "ended") this.#port.send({ kind: "drain", reconnectWithinMs });
  }

  #hello(hello: HelloInput): void {
    const fault = helloFaultOf(hello);
    if (fault) {
      this.#refuse(fault);
      return;
    }
    const party: Party = { kind: this.#principal.role as Party["kind"], id: this.#principal.subject };
    if (hello.party && (hello.party.kind !== party.kind || hello.party.id !== party.id)) {
      this.abort(new BimrideError("PARTY_MISMATCH", undefined, { field: "party" }));
      return;
    }
    const { registry, announcer, clock } = this.#deps;
    const state = registry.session(party, hello);
    if (this.#state !== state) this.#leave();
    this.#state = state;
    this.#phase = "opening";
    try {
      registry.attach(this, state);
    } catch {
      // SUPERSEDED is all that attach throws: a newer session of the party has its stream here.
      this.superseded(registry.newestEpoch(state.partyKey));
      return;
    }
    state.clockOffset.sample(clock.now(), hello.deviceTimeMs);
    announcer.opened(state, this.#transport, this.#traceparent);
    announcer.deviceState(state, hello.deviceState, this.#traceparent);
    this.#open(state).catch((error: unknown) => this.abort(asBimrideError(error)));
  }

  async #open(state: SessionState): Promise<void> {
    const { bus, ioClock, trips, clock, events, region } = this.#deps;
    this.#feed?.close();
    const feed = new AssignmentFeed({ trips, clock, ioClock, events }, state, (assignment) =>
      this.#assignmentChanged(assignment),
    );
    this.#feed = feed;
    if (!this.#subscription) {
      const subscription = await bus.listen(state.partyKey, (message) => this.#heard(message));
      // The stream may have ended meanwhile, or a second Hello may have overtaken this one.
      if (this.#ended || this.#subscription) subscription[Symbol.dispose]();
      else this.#subscription = subscription;
    }
    await withinReadTime(feed.refresh(), undefined, ioClock);
    if (this.#ended || this.#feed !== feed) return;
    const assignment = feed.current;
    this.#port.send({
      kind: "welcome",
      sessionEpoch: state.sessionEpoch,
      serverTimeMs: Math.round(clock.now()),
      region,
      assignment,
      wantedRate: wantedRateFor(assignment.trip),
      resumeAfterSeq: state.durable.largest,
      clockOffsetMs: state.clockOffset.appliedMs,
    });
    this.#phase = "open";
    this.#flushHeld();
    this.#endWhenAnswered();
  }

  #takeFixes(batch: BatchInput): void {
    const state = this.#state;
    if (!state) {
      this.abort(new BimrideError("HELLO_EXPECTED"));
      return;
    }
    const { intake, announcer, limits } = this.#deps;
    announcer.ensureOpened(state, this.#transport, this.#traceparent);
    this.#outstanding++;
    intake
      .take(state, batch, { traceparent: this.#traceparent, maxFixes: limits.maxFixesPerMessage })
      .then((ack) => this.#send({ kind: "ack", ...ack }))
      .catch((error: unknown) => this.#refuse(asBimrideError(error), batch.batchId))
      .finally(() => {
        this.#outstanding--;
        this.#endWhenAnswered();
      });
    this.#resendAssignment(batch.assignmentVersion);
  }

  #deviceState(deviceState: HelloInput["deviceState"]): void {
    const fault = batteryFaultOf(deviceState);
    if (fault) {
      this.#refuse(fault);
      return;
    }
    if (this.#state) this.#deps.announcer.deviceState(this.#state, deviceState, this.#traceparent);
  }

  async #refreshToken(token: string): Promise<void> {
    try {
      const fresh = await this.#deps.authenticator.authenticate(token);
      const same = fresh.role === this.#principal.role && fresh.subject === this.#principal.subject;
      if (!same) throw new BimrideError("TOKEN_INVALID", "The token names another party.");
      this.#principal = fresh;
    } catch (error) {
      this.#refuse(asBimrideError(error));
    }
  }

  #heard(message: PartyMessage): void {
    const state = this.#state;
    if (!state || this.#ended) return;
    if (message.kind === "assignmentChanged") {
      void this.#feed?.refresh();
      return;
    }
    const { sessionId, sessionEpoch } = message;
    this.#deps.registry.sawEpoch(state.partyKey, sessionEpoch);
    const newer =
      sessionEpoch > state.sessionEpoch ||
      (sessionEpoch === state.sessionEpoch && sessionId > state.sessionId);
    if (!newer) return;
    if (sessionId === state.sessionId) this.replaced();
    else this.superseded(sessionEpoch);
  }

  #assignmentChanged(assignment: Assignment): void {
    if (this.#phase !== "open") return;
    this.#assignmentSentMs = this.#deps.ioClock.monotonic();
    this.#send({ kind: "assignment", ...assignment });
    this.#send({ kind: "wantedRate", ...wantedRateFor(assignment.trip) });
  }

  #resendAssignment(knownVersion: number): void {
    const assignment = this.#feed?.current;
    if (!assignment || knownVersion === 0 || knownVersion >= assignment.version) return;
    if (this.#deps.ioClock.monotonic() - this.#assignmentSentMs >= RESEND_ASSIGNMENT_MS)
      this.#assignmentChanged(assignment);
  }

  get #ended(): boolean {
    return this.#phase === "ended";
  }

  #expired(): boolean {
    return this.#deps.clock.now() >= this.#principal.expiresAtMs;
  }

  #send(message: ServerMessage): void {
    if (this.#ended) return;
    if (this.#phase !== "opening") {
      this.#port.send(message);
      return;
    }
    this.#held.push(message);
    if (this.#held.length > MAX_HELD_ANSWERS) this.abort(new BimrideError("CLIENT_TOO_SLOW"));
  }

  #flushHeld(): void {
    for (const message of this.#held) this.#port.send(message);
    this.#held = [];
  }

  /** Tells the client that a message could not be taken; the stream goes on. */
  #refuse(error: BimrideError, batchId = 0): void {
    if (this.#ended) return;
    this.#deps.events.problem(this.#transport, error.code, error.cause);
    this.#send(problemOf(error, batchId));
  }

  #endWhenAnswered(): void {
    if (this.#finishing && this.#outstanding === 0 && this.#phase !== "opening") this.#end(undefined);
  }

  #end(error: BimrideError | undefined): void {
    if (this.#ended) return;
    this.#phase = "ended";
    this.#port.end(error);
    this.#release();
  }

  /** Lets go of the session that the stream was on, if any. */
  #leave(): void {
    const state = this.#state;
    if (!state) return;
    this.#state = undefined;
    const last = this.#deps.registry.detach(this, state);
    if (last) this.#deps.announcer.closed(state, this.#transport);
  }

  #release(): void {
    this.#leave();
    this.#subscription?.[Symbol.dispose]();
    this.#feed?.close();
    this.#held = [];
    this.#deps.registry.remove(this);
    this.#deps.events.streams(this.#transport, -1);
  }
}

function problemOf(error: BimrideError, batchId: number): ServerMessage {
  const { code, message, field, retryable } = error;
  return { kind: "problem", code, message, field, batchId, retryable };
}
