import type { Authenticator, Principal } from "../auth/principal.ts";
import { asBimrideError, BimrideError } from "../core/errors.ts";
import { ID_PATTERN } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import type { RegionOf } from "../core/region.ts";
import { type Clock, sleep, systemClock } from "../core/time.ts";
import type { Trip } from "../core/trip.ts";
import type { LiveBus, PresentSession } from "../live/bus.ts";
import { checkRevoked } from "../sessions/revocable-authenticator.ts";
import type { Revocations } from "../sessions/revocations.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Trips } from "../trips/trips.ts";
import { actOnTrip, type TripActions } from "./act.ts";
import { Announcer } from "./announcer.ts";
import { readTrip, withinReadTime } from "./assignment.ts";
import { partyOf } from "./caller.ts";
import { IngestEvents, type Transport } from "./events.ts";
import { Homes, type IngestRegion } from "./homes.ts";
import { Intake } from "./intake.ts";
import { LoadGauge, threadShare } from "./load-gauge.ts";
import type { BatchAnswer, BatchInput, HelloInput } from "./messages.ts";
import { newestPlace } from "./newest-place.ts";
import { SessionRegistry } from "./registry.ts";
import { IngestSession, type SessionDeps, type StreamOptions } from "./session.ts";
import type { SessionState } from "./session-state.ts";
import { rateOfCall } from "./stream-rate.ts";
import { helloFaultOf } from "./validate.ts";

const SWEEP_PERIOD_MS = 1_000;
const DRAIN_POLL_MS = 20;
/** Streams are told of what left the spool this often. */
const TELL_DRAINED_MS = 200;

export type IngestDeps = {
  /** All regions of the deployment, by name. */
  regions: ReadonlyMap<string, IngestRegion>;
  regionOf: RegionOf;
  /** The region of parties that say neither where they are nor where they were. One of `regions`. */
  ownRegion: string;
  bus: LiveBus;
  trips: Trips;
  /** What drivers do on their trips. */
  tripActions: TripActions;
  /** Looks at revocations itself. */
  authenticator: Authenticator;
  revocations: Pick<Revocations, "isRevoked" | "watch">;
  /** Time of the fixes: receipts, epochs, expiry, rate limits. May be driven. */
  clock: Clock;
  /** Time of sockets: lingers, timeouts, keepalives. Real by default, also where `clock` is driven. */
  ioClock?: Clock;
  limits: Limits;
  /** How much of what this process can do was in use since the last call, 0…1; by default as its thread has it. */
  shareInUse?: () => number;
  /** Names this gateway in logs. */
  gatewayId: string;
  telemetry: Telemetry;
};

/** Who calls without a stream. @property traceparent W3C trace context, or empty */
export type CallContext = { principal: Principal; transport: Transport; traceparent: string };

/** How a gateway goes away. */
export type DrainOptions = {
  /** Clients are told to reconnect after a random wait of up to this. */
  reconnectWithinMs: number;
  /** Streams still open after this are ended with DRAINING. */
  forceAfterMs: number;
};

const DEFAULT_DRAIN: DrainOptions = { reconnectWithinMs: 5_000, forceAfterMs: 8_000 };

/** The way in without its transports: sessions over the ports of log, bus and trips. */
export class IngestGateway {
  readonly limits: Limits;
  readonly ioClock: Clock;
  readonly events: IngestEvents;
  readonly #deps: IngestDeps;
  readonly #registry: SessionRegistry;
  readonly #intake: Intake;
  readonly #announcer: Announcer;
  readonly #sessionDeps: SessionDeps;
  readonly #homes: Homes;
  readonly #load: LoadGauge;
  readonly #revocations: Disposable;
  readonly #stopSweep: () => void;
  #cancelTelling: (() => void) | undefined;
  #draining = false;

  constructor(deps: IngestDeps) {
    const { regions, regionOf, ownRegion, bus, trips, authenticator, clock, limits, telemetry } = deps;
    const { revocations } = deps;
    const ioClock = deps.ioClock ?? systemClock;
    const logger = telemetry.logger.child({ part: "ingest", gatewayId: deps.gatewayId });
    const events = new IngestEvents({ logger, registry: telemetry.registry });
    this.#deps = deps;
    this.limits = limits;
    this.ioClock = ioClock;
    this.events = events;
    const homes = new Homes({
      ...{ regions, regionOf, ownRegion, ioClock, limits, events },
      onDrained: () => this.#tellDrainedSoon(),
    });
    this.#homes = homes;
    this.#registry = new SessionRegistry((hello) => homes.atHello(hello, ""), limits, clock);
    this.#intake = new Intake({ clock, ioClock, limits, events });
    this.#announcer = new Announcer({ bus, clock, events });
    const shareInUse = deps.shareInUse ?? threadShare();
    const load = new LoadGauge(() => Math.max(shareInUse(), homes.pendingBytes / limits.maxPendingLogBytes));
    this.#load = load;
    this.#sessionDeps = {
      ...{ intake: this.#intake, announcer: this.#announcer, registry: this.#registry },
      ...{ bus, trips, authenticator, revocations, clock, ioClock, limits, homes, events, load },
      act: actOnTrip(deps.tripActions),
    };
    this.#revocations = revocations.watch((revocation) => {
      for (const stream of [...this.#registry.streams]) stream.revoked(revocation);
    });
    this.#stopSweep = ioClock.every(SWEEP_PERIOD_MS, () => {
      load.look();
      events.load(load.level);
      this.#registry.sweep();
    });
  }

  /** True from the start of {@link drain} on. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Streams open now. */
  get openStreams(): number {
    return this.#registry.streams.size;
  }

  /** The user's sessions with a stream open here. */
  present(user: string): PresentSession[] {
    return [...this.#registry.streams].flatMap((stream) => stream.present(user) ?? []);
  }

  /** Bytes (estimated) that wait for durability now, in all regions. */
  get pendingBytes(): number {
    return this.#homes.pendingBytes;
  }

  /** Undefined while fixes of the gateway's own region are taken, by the log or by the spool; else why not. */
  health(): Promise<Error | undefined> {
    return this.#homes.health();
  }

  /** The caller as its token says. Rejects with TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED or ROLE_FORBIDDEN. */
  async authenticate(token: string | undefined): Promise<Principal> {
    const principal = await this.#deps.authenticator.authenticate(token);
    if (principal.role !== "driver" && principal.role !== "rider") throw new BimrideError("ROLE_FORBIDDEN");
    if (!ID_PATTERN.test(principal.subject)) throw new BimrideError("TOKEN_INVALID");
    if (this.#deps.clock.now() >= principal.expiresAtMs) throw new BimrideError("TOKEN_EXPIRED");
    return principal;
  }

  /** Opens a stream. Throws DRAINING, OVERLOADED or, when that was done since the token was looked at, SESSION_REVOKED. */
  openSession(options: StreamOptions): IngestSession {
    if (this.#draining) throw new BimrideError("DRAINING");
    checkRevoked(this.#deps.revocations, options.principal);
    const session = new IngestSession(this.#sessionDeps, options);
    this.#registry.add(session);
    this.events.streams(options.transport, 1);
    return session;
  }

  /** One hello, one batch, its verdicts. Rejects with any error of the vocabulary, which the caller counts. */
  async publishBatch(call: CallContext, hello: HelloInput, batch: BatchInput): Promise<BatchAnswer> {
    const { principal, transport, traceparent } = call;
    if (this.#draining) throw new BimrideError("DRAINING");
    const fault = helloFaultOf(hello);
    if (fault) throw fault;
    checkRevoked(this.#deps.revocations, principal, hello.sessionId);
    const party = partyOf(principal, hello, "hello.party");
    const state = this.#registry.batchSession(party, hello);
    state.clockOffset.sample(this.#deps.clock.now(), hello.deviceTimeMs);
    const trip = withinReadTime<Trip | undefined | "unknown">(
      readTrip(this.#deps.trips, party),
      "unknown",
      this.ioClock,
    );
    if (!this.#homes.isOne) this.#settle(state, hello, batch, await trip, call);
    if (!state.announced) {
      this.#announcer.opened(state, transport, traceparent);
      this.#announcer.tellOthers(state);
      this.#registry.supersedeOlder(state);
    }
    this.#announcer.deviceState(state, hello.deviceState, traceparent);
    const maxFixes = this.limits.maxFixesPerBatch;
    const ack = await this.#intake.take(state, batch, { traceparent, maxFixes });
    const rate = { limits: this.limits, load: this.#load };
    const wantedRate = rateOfCall(party.kind, await trip, batch.fixes, hello.deviceState, rate);
    return { ack, wantedRate, region: state.region };
  }

  /** The refusal of a call outside any session: counted, and given back as an error of the vocabulary. */
  refusal(transport: Transport, cause: unknown): BimrideError {
    const error = asBimrideError(cause);
    this.events.problem(transport, error.code, error.cause);
    return error;
  }

  /**
   * Refuses new streams, tells the open ones, waits for them up to a bound, lets the log or the spool have what lingers,
   * and, while the log takes it, drains the spool within what is left of the bound.
   */
  async drain(options: Partial<DrainOptions> = {}): Promise<void> {
    const { reconnectWithinMs, forceAfterMs } = { ...DEFAULT_DRAIN, ...options };
    const { ioClock } = this;
    this.#draining = true;
    for (const stream of [...this.#registry.streams]) stream.drain(reconnectWithinMs);
    const untilMs = ioClock.monotonic() + forceAfterMs;
    while (this.openStreams > 0 && ioClock.monotonic() < untilMs) await sleep(ioClock, DRAIN_POLL_MS);
    await this.#endAll();
    await this.#homes.close(untilMs - ioClock.monotonic());
  }

  /** Ends what is left at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#draining = true;
    this.#stopSweep();
    this.#revocations[Symbol.dispose]();
    await this.#endAll();
    await this.#homes.close(0);
    this.#cancelTelling?.();
  }

  /** Sends what lingers and waits until all of it is settled. Never rejects. */
  flush(): Promise<void> {
    return this.#homes.flush();
  }

  /** The region of a batch: as on a stream, and where the session has one of its own, that stream's. */
  #settle(
    state: SessionState,
    hello: HelloInput,
    { fixes }: BatchInput,
    trip: Trip | undefined | "unknown",
    { transport, traceparent }: CallContext,
  ): void {
    if (this.#registry.isStreaming(state)) return;
    const { clock } = this.#deps;
    const last = this.#homes.atHello(hello, state.region);
    const place = newestPlace(state, fixes, clock.now(), this.limits) ?? hello.position;
    const home = this.#homes.next(last.region, trip, place) ?? last;
    if (home.region !== state.region) this.#announcer.moved(state, home, transport, traceparent);
  }

  /** Many records drain at a time; the streams are looked through once for all of them. */
  #tellDrainedSoon(): void {
    this.#cancelTelling ??= this.ioClock.after(TELL_DRAINED_MS, () => {
      this.#cancelTelling = undefined;
      this.#registry.tellDrained();
    });
  }

  async #endAll(): Promise<void> {
    for (const stream of [...this.#registry.streams]) stream.abort(new BimrideError("DRAINING"));
    await this.flush();
  }
}
