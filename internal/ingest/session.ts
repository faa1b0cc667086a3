/**
 * The ingest session: what a stream of any transport does between Hello and its end. It knows core types only;
 * transports turn frames into {@link ClientMessage}s and {@link ServerMessage}s into frames.
 *
 * Every bound on the way in (names as in core/limits.ts), and what happens there:
 *
 * | bound | at it |
 * |---|---|
 * | maxMessageBytes | gRPC, WebSocket and MQTT: the stream ends with MESSAGE_TOO_LARGE; HTTP answers 413 |
 * | maxJsonBodyBytes (HTTP JSON only) | 413 MESSAGE_TOO_LARGE |
 * | maxFixesPerMessage, maxFixesPerBatch | BATCH_TOO_LARGE, nothing of the batch stored, the stream goes on |
 * | maxFixesPerSecondPerSession, maxFixBurstPerSession | RATE_LIMITED verdicts with retry_after_ms |
 * | maxPendingFixesPerSession | RATE_LIMITED verdicts with retry_after_ms |
 * | maxControlMessagesPerSecond, maxControlBurst | Hello, DeviceState, TripAction, LocationSharing and TokenRefresh beyond: RATE_LIMITED in a Problem, or in the ActionResult of an action; the message is dropped, the stream goes on |
 * | maxPendingLogBytes | verdicts withheld: Problem LOG_UNAVAILABLE on streams, 503 on HTTP |
 * | gateway.spool_max_bytes while the log is away | the same with LOG_FULL |
 * | maxUnackedPublishes (MQTT) | nothing more is read of the connection until a publish is acknowledged |
 * | maxUnreadAnswerBytes | the stream ends with CLIENT_TOO_SLOW |
 * | MAX_HELD_ANSWERS before Welcome | the stream ends with CLIENT_TOO_SLOW |
 * | helloTimeoutMs | the stream ends with HELLO_EXPECTED (MQTT: a connection without CONNECT) |
 * | ingestIdleTimeoutMs | the stream ends with IDLE_TIMEOUT |
 * | the session or its sign-in is revoked | the stream ends with SESSION_REVOKED |
 * | the token's expiry without a TokenRefresh | the stream ends with TOKEN_EXPIRED |
 * | maxIngestStreams | a new stream is refused with OVERLOADED |
 * | maxDedupeIntervals | the lowest interval of durable seqs is forgotten: repeats of those are stored again, which readers of the log bear |
 * | maxSessionsPerParty, maxKnownParties, partyIdleMs | the longest unused without a stream are forgotten: they lose resume_after_seq and DUPLICATE verdicts, nothing else |
 * | 64 spooled records of a session | later ones are told as drained together, when the last of them is |
 * | READ_TIMEOUT_MS of the trips store and of the bus | Welcome goes without an assignment, or before the subscription stands; both follow when they answer |
 */
import { type Authenticator, type Principal, userKeyOf } from "../auth/principal.ts";
import { asBimrideError, BimrideError } from "../core/errors.ts";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import type { LiveBus, PresentSession } from "../live/bus.ts";
import { checkRevoked, signedInOf } from "../sessions/revocable-authenticator.ts";
import { concerns, type Revocation, type Revocations } from "../sessions/revocations.ts";
import type { Trips } from "../trips/trips.ts";
import type { ActOnTrip, InBandAction } from "./act.ts";
import type { Announcer } from "./announcer.ts";
import { Answers, problemOf, resultOf, type StreamPort } from "./answers.ts";
import { Caller, partyOf } from "./caller.ts";
import type { IngestEvents, Transport } from "./events.ts";
import { HeldBatches, type OnSettled } from "./held-batches.ts";
import type { Home, Homes } from "./homes.ts";
import type { Intake } from "./intake.ts";
import type { Assignment, BatchInput, ClientMessage, HelloInput, ServerMessage } from "./messages.ts";
import { newestPlace } from "./newest-place.ts";
import { type MarkerTold, PartyFeed, type SessionOpened } from "./party-feed.ts";
import type { RegisteredStream, SessionRegistry } from "./registry.ts";
import type { SessionState } from "./session-state.ts";
import { drainedAcks } from "./spool-acks.ts";
import { StreamRate, type StreamRateDeps } from "./stream-rate.ts";
import { TokenBucket } from "./token-bucket.ts";
import { batteryFaultOf, helloFaultOf } from "./validate.ts";
import type { WantedRate } from "./wanted-rate.ts";

export type SessionDeps = StreamRateDeps & {
  intake: Intake;
  announcer: Announcer;
  registry: SessionRegistry;
  bus: LiveBus;
  trips: Trips;
  act: ActOnTrip;
  authenticator: Authenticator;
  revocations: Pick<Revocations, "isRevoked" | "watch">;
  clock: Clock;
  ioClock: Clock;
  limits: Limits;
  homes: Homes;
  events: IngestEvents;
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
  readonly #caller: Caller;
  readonly #answers: Answers;
  readonly #feed: PartyFeed;
  readonly #rate: StreamRate;
  readonly #control: TokenBucket;
  readonly #held = new HeldBatches();
  readonly #openedMs: number;
  #phase: "greeting" | "opening" | "open" | "ended" = "greeting";
  #state: SessionState | undefined;
  #outstanding = 0;
  #finishing = false;
  #saidGoodbye = false;
  #lastMessageMs: number;

  /** Use `Ingest.openSession`. */
  constructor(deps: SessionDeps, options: StreamOptions) {
    this.#deps = deps;
    this.#caller = new Caller(options.principal, deps);
    this.#transport = options.transport;
    this.#traceparent = options.traceparent;
    this.#answers = new Answers(options.port);
    this.#feed = new PartyFeed(deps, {
      assignmentChanged: (assignment) => this.#assignmentChanged(assignment),
      sessionOpened: (opened) => this.#openedElsewhere(opened),
      markerTold: (told) => this.#markerTold(told),
      watched: (tripId, forMs) => this.#tellRate(this.#rate.watched(tripId, forMs, deps.ioClock.monotonic())),
      viewersUnknown: () => this.#rate.viewersUnknown(deps.ioClock.monotonic()),
    });
    this.#rate = new StreamRate(deps, () => this.#feed.trip);
    this.#openedMs = deps.ioClock.monotonic();
    this.#lastMessageMs = this.#openedMs;
    const { maxControlMessagesPerSecond, maxControlBurst } = deps.limits;
    this.#control = new TokenBucket(maxControlMessagesPerSecond, maxControlBurst, this.#openedMs);
  }

  get state(): SessionState | undefined {
    return this.#state;
  }

  /**
   * Takes one decoded message. Never throws: what is wrong with it goes to the client.
   * @param settled told how a batch of fixes ended, for transports that answer for durability themselves
   */
  receive(message: ClientMessage, settled?: OnSettled): void {
    if (this.#phase === "ended") return;
    this.#lastMessageMs = this.#deps.ioClock.monotonic();
    if (this.#caller.isExpired) {
      this.abort(new BimrideError("TOKEN_EXPIRED"));
      return;
    }
    if (message.kind === "undecodable") {
      this.#refuse(message.error, message.batchId);
      return;
    }
    if (message.kind === "fixes") {
      this.#takeFixes(message, settled);
      return;
    }
    if (message.kind !== "hello" && !this.#state) {
      this.abort(new BimrideError("HELLO_EXPECTED"));
      return;
    }
    if (this.#control.take(1, this.#lastMessageMs) === 0) {
      this.#refuseControl(message);
      return;
    }
    if (message.kind === "hello") this.#hello(message);
    else if (message.kind === "deviceState") this.#deviceState(message.state);
    else if (message.kind === "tripAction" || message.kind === "locationSharing") void this.#act(message);
    else this.#caller.refresh(message.token).catch((error: unknown) => this.#refuse(asBimrideError(error)));
  }

  /** The client gave a sign of life that is no message. */
  alive(): void {
    this.#lastMessageMs = this.#deps.ioClock.monotonic();
  }

  /** The client sends nothing more, which is its goodbye: the stream ends once everything is answered. */
  finish(): void {
    this.#finishing = true;
    this.#saidGoodbye = true;
    this.#endWhenAnswered();
  }

  /** The stream is gone and nothing can be sent any more. @param saidGoodbye the client ended it, it did not break */
  closed(saidGoodbye = false): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    this.#saidGoodbye ||= saidGoodbye;
    this.#release();
  }

  /** Ends the stream now, with a Problem. */
  abort(error: BimrideError): void {
    if (this.#phase === "ended") return;
    this.#deps.events.problem(this.#transport, error.code, error.cause);
    this.#answers.release();
    this.#answers.send(problemOf(error, 0));
    this.#end(error);
  }

  revoked(revocation: Revocation): void {
    const { principal } = this.#caller;
    if (concerns(revocation, signedInOf(principal, this.#state?.sessionId)))
      this.abort(new BimrideError("SESSION_REVOKED"));
  }

  present(user: string): PresentSession | undefined {
    const state = this.#state;
    const { principal } = this.#caller;
    if (!state || userKeyOf(principal) !== user) return undefined;
    const { clock, ioClock, registry } = this.#deps;
    const { sessionId, sessionEpoch, deviceId, appVersion } = state;
    const wallMs = clock.now() - ioClock.monotonic();
    return {
      ...{ kind: "publishing", sessionId, sessionEpoch, deviceId, appVersion, transport: this.#transport },
      ...{ signInId: principal.signInId, expiresAtMs: principal.expiresAtMs },
      openedAtMs: Math.round(wallMs + this.#openedMs),
      lastHeardAtMs: Math.round(wallMs + this.#lastMessageMs),
      standing: registry.standingOf(state),
    };
  }

  replaced(): void {
    this.#end(undefined);
  }

  superseded(byEpoch: number, retryAfterMs: number): void {
    if (this.#phase === "ended" || !this.#state) return;
    const { events } = this.#deps;
    events.problem(this.#transport, "SUPERSEDED");
    events.sessionSuperseded(this.#state.partyKey, this.#state.sessionId, byEpoch, retryAfterMs);
    this.#answers.release();
    this.#answers.send({ kind: "superseded", sessionEpoch: byEpoch, retryAfterMs: Math.ceil(retryAfterMs) });
    this.#end(new BimrideError("SUPERSEDED"));
  }

  tick(): void {
    const { ioClock, limits } = this.#deps;
    const nowMs = ioClock.monotonic();
    if (this.#phase === "ended") return;
    if (this.#caller.isExpired) this.abort(new BimrideError("TOKEN_EXPIRED"));
    else if (!this.#state && nowMs - this.#openedMs >= limits.helloTimeoutMs)
      this.abort(new BimrideError("HELLO_EXPECTED"));
    else if (nowMs - this.#lastMessageMs >= limits.ingestIdleTimeoutMs)
      this.abort(new BimrideError("IDLE_TIMEOUT"));
    else if (this.#phase === "open" && this.#caller.asksForToken())
      this.#send({ kind: "tokenRefreshRequest", expiresAtMs: this.#caller.principal.expiresAtMs });
    if (this.#phase === "open") this.#tellRate(this.#rate.tick(nowMs));
  }

  drain(reconnectWithinMs: number): void {
    this.#send({ kind: "drain", reconnectWithinMs });
  }

  tellDrained(): void {
    const state = this.#state;
    if (!state) return;
    const { clock, limits } = this.#deps;
    const seqs = state.buffered.settle(state.durable);
    for (const ack of drainedAcks(seqs, state, Math.round(clock.now()), limits.maxFixesPerMessage))
      this.#send({ kind: "ack", ...ack });
    this.#held.look(state);
  }

  #hello(hello: HelloInput): void {
    const fault = helloFaultOf(hello);
    if (fault) {
      this.#refuse(fault);
      return;
    }
    const { registry, announcer, clock, homes } = this.#deps;
    let state: SessionState;
    try {
      checkRevoked(this.#deps.revocations, this.#caller.principal, hello.sessionId);
      state = registry.session(partyOf(this.#caller.principal, hello, "party"), hello);
    } catch (error) {
      this.abort(asBimrideError(error));
      return;
    }
    // Where a stream stands on the session, this one or one that it replaces, its fixes tell the place better.
    const isNews = !registry.isStreaming(state);
    const home = homes.atHello(hello, state.region);
    if (isNews && home.region !== state.region)
      announcer.moved(state, home, this.#transport, this.#traceparent);
    if (this.#state !== state) {
      this.#leave(true);
      this.#rate.forget();
    }
    this.#state = state;
    this.#phase = "opening";
    this.#answers.hold();
    const refusal = registry.attach(this, state);
    if (refusal) {
      this.superseded(refusal.byEpoch, refusal.retryAfterMs);
      return;
    }
    state.clockOffset.sample(clock.now(), hello.deviceTimeMs);
    announcer.opened(state, this.#transport, this.#traceparent);
    announcer.deviceState(state, hello.deviceState, this.#traceparent);
    if (hello.deviceState) this.#rate.deviceState(hello.deviceState, this.#lastMessageMs);
    this.#open(state, isNews ? hello.position : undefined).catch((error: unknown) =>
      this.abort(asBimrideError(error)),
    );
  }

  /** The Welcome goes out within about two seconds, whatever is away. */
  async #open(state: SessionState, position: HelloInput["position"]): Promise<void> {
    const { clock, ioClock, homes, announcer } = this.#deps;
    await this.#feed.listen(state.partyKey);
    // Also when the stream is gone meanwhile: the log says that the session opened.
    announcer.tellOthers(state);
    const assignment = await this.#feed.follow(state);
    if (this.#ended || !assignment) return;
    const home = homes.next(state.region, this.#feed.trip, position);
    if (home) announcer.moved(state, home, this.#transport, this.#traceparent);
    this.#answers.release({
      kind: "welcome",
      sessionEpoch: state.sessionEpoch,
      serverTimeMs: Math.round(clock.now()),
      region: state.region,
      assignment,
      wantedRate: this.#rate.begin(state.party.kind, ioClock.monotonic()),
      resumeAfterSeq: state.durable.largest,
      clockOffsetMs: state.clockOffset.appliedMs,
    });
    this.#phase = "open";
    this.#endWhenAnswered();
  }

  #takeFixes(batch: BatchInput, settled: OnSettled | undefined): void {
    const state = this.#state;
    if (!state) {
      this.abort(new BimrideError("HELLO_EXPECTED"));
      return;
    }
    const { intake, announcer, limits } = this.#deps;
    this.#lookAtPlace(state, batch);
    announcer.ensureOpened(state, this.#transport, this.#traceparent);
    // Intake settles what drained without a word, and what drained before it was known to be buffered has no other cue.
    this.tellDrained();
    this.#outstanding++;
    intake
      .take(state, batch, { traceparent: this.#traceparent, maxFixes: limits.maxFixesPerMessage })
      .then((ack) => {
        this.#send({ kind: "ack", ...ack });
        if (settled) this.#held.settle(ack, state, settled);
        this.tellDrained();
      })
      .catch((cause: unknown) => {
        const error = asBimrideError(cause);
        this.#refuse(error, batch.batchId);
        settled?.({ error });
      })
      .finally(() => {
        this.#outstanding--;
        this.#endWhenAnswered();
      });
    this.#feed.resend(batch.assignmentVersion);
    this.#tellRate(this.#rate.fixes(batch.fixes, this.#lastMessageMs));
  }

  /** Without a trip a party goes on in the region that its newest fix lies in. */
  #lookAtPlace(state: SessionState, { fixes }: BatchInput): void {
    const { homes, clock, limits } = this.#deps;
    if (homes.isOne || this.#phase !== "open") return;
    const place = newestPlace(state, fixes, clock.now(), limits);
    if (place) this.#moveTo(state, homes.next(state.region, this.#feed.trip, place));
  }

  /** Tells the client; what comes from now on goes to the new region, whether the client says Hello or not. */
  #moveTo(state: SessionState, home: Home | undefined): void {
    if (!home) return;
    this.#deps.announcer.moved(state, home, this.#transport, this.#traceparent);
    this.#send({ kind: "move", region: home.region });
  }

  #deviceState(deviceState: HelloInput["deviceState"]): void {
    const fault = batteryFaultOf(deviceState);
    if (fault) {
      this.#refuse(fault);
      return;
    }
    if (!this.#state || !deviceState) return;
    this.#deps.announcer.deviceState(this.#state, deviceState, this.#traceparent);
    this.#tellRate(this.#rate.deviceState(deviceState, this.#lastMessageMs));
  }

  /** The result names what went wrong; a change comes as an Assignment, by the bus. */
  async #act({ actionId, ...action }: InBandAction & { actionId: number }): Promise<void> {
    this.#outstanding++;
    const error = await this.#deps.act(this.#caller.principal, action).then(
      () => undefined,
      (cause: unknown) => asBimrideError(cause),
    );
    this.#outstanding--;
    if (error && !this.#ended) this.#deps.events.problem(this.#transport, error.code, error.cause);
    this.#send({ kind: "actionResult", actionId, ...resultOf(error) });
    this.#endWhenAnswered();
  }

  #openedElsewhere(opened: SessionOpened): void {
    const state = this.#state;
    if (!state || this.#ended) return;
    const { registry, announcer, bus } = this.#deps;
    const { partyKey, sessionId } = state;
    if (opened.sessionId === sessionId) {
      registry.openedElsewhere(state, opened);
      if (opened.sessionEpoch > state.sessionEpoch) this.replaced();
      return;
    }
    const marker = registry.openedElsewhere(state, opened);
    if (!marker) return;
    if (marker.sessionId === sessionId) announcer.renewed(state, this.#transport, this.#traceparent);
    bus.notify({ partyKey, kind: "markerTold", ...marker });
    if (marker.sessionId !== sessionId) this.superseded(marker.sessionEpoch, 0);
  }

  #markerTold(told: MarkerTold): void {
    const state = this.#state;
    if (!state || this.#ended) return;
    const retryAfterMs = this.#deps.registry.markerTold(state, told);
    if (retryAfterMs !== undefined) this.superseded(told.sessionEpoch, retryAfterMs);
  }

  #assignmentChanged(assignment: Assignment): void {
    if (this.#phase !== "open" || !this.#state) return;
    // First the move: the fixes on the way to the trip must come where the trip is.
    this.#moveTo(this.#state, this.#deps.homes.next(this.#state.region, this.#feed.trip, undefined));
    if (this.#state.party.kind === "driver") this.#send({ kind: "assignment", ...assignment });
    this.#tellRate(this.#rate.tripChanged(this.#deps.ioClock.monotonic()));
  }

  /** Tells the client how often to send, when that has changed. */
  #tellRate(rate: WantedRate | undefined): void {
    if (rate) this.#send({ kind: "wantedRate", ...rate });
  }

  get #ended(): boolean {
    return this.#phase === "ended";
  }

  #send(message: ServerMessage): void {
    if (this.#ended) return;
    try {
      this.#answers.send(message);
    } catch (error) {
      this.abort(asBimrideError(error));
    }
  }

  /** Tells the client that a message could not be taken; the stream goes on. */
  #refuse(error: BimrideError, batchId = 0): void {
    if (this.#ended) return;
    this.#deps.events.problem(this.#transport, error.code, error.cause);
    this.#send(problemOf(error, batchId));
  }

  /** Too many of them: an action is told by its number that it was not done. */
  #refuseControl(message: ClientMessage): void {
    const error = new BimrideError("RATE_LIMITED");
    if (!("actionId" in message)) {
      this.#refuse(error);
      return;
    }
    this.#deps.events.problem(this.#transport, error.code);
    this.#send({ kind: "actionResult", actionId: message.actionId, ...resultOf(error) });
  }

  #endWhenAnswered(): void {
    if (this.#finishing && this.#outstanding === 0 && this.#phase !== "opening") this.#end(undefined);
  }

  #end(error: BimrideError | undefined): void {
    if (this.#ended) return;
    this.#phase = "ended";
    this.#answers.end(error);
    this.#release();
  }

  /** Lets go of the session that the stream was on, if any. @param saidGoodbye the client meant to leave it */
  #leave(saidGoodbye = this.#saidGoodbye): void {
    const state = this.#state;
    if (!state) return;
    this.#state = undefined;
    const last = this.#deps.registry.detach(this, state);
    if (last) this.#deps.announcer.closed(state, this.#transport, !saidGoodbye);
  }

  #release(): void {
    this.#leave();
    this.#feed.close();
    this.#deps.registry.remove(this);
    this.#deps.events.streams(this.#transport, -1);
  }
}
