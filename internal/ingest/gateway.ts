import type { Authenticator, Principal } from "../auth/principal.ts";
import { asBimrideError, BimrideError } from "../core/errors.ts";
import { ID_PATTERN } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import { type Clock, sleep, systemClock } from "../core/time.ts";
import type { EventLog } from "../eventlog/log.ts";
import type { LiveBus } from "../live/bus.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Trips } from "../trips/trips.ts";
import { Announcer } from "./announcer.ts";
import { Appender } from "./appender.ts";
import { readTrip, withinReadTime } from "./assignment.ts";
import { partyOf } from "./caller.ts";
import { IngestEvents, type Transport } from "./events.ts";
import { Intake } from "./intake.ts";
import type { Ack, BatchInput, HelloInput, WantedRate } from "./messages.ts";
import { Outlet } from "./outlet.ts";
import { SessionRegistry } from "./registry.ts";
import { IngestSession, type SessionDeps, type StreamOptions } from "./session.ts";
import type { Spool } from "./spool/spool.ts";
import { helloFaultOf } from "./validate.ts";
import { wantedRateFor } from "./wanted-rate.ts";

const SWEEP_PERIOD_MS = 1_000;
const DRAIN_POLL_MS = 20;
/** Streams are told of what left the spool this often. */
const TELL_DRAINED_MS = 200;

export type IngestDeps = {
  log: EventLog;
  /** Where entries go while the log is away (spool/spool.ts); the caller disposes it afterwards. Undefined: nowhere. */
  spool?: Spool;
  bus: LiveBus;
  trips: Trips;
  authenticator: Authenticator;
  /** Time of the fixes: receipts, epochs, expiry, rate limits. May be driven. */
  clock: Clock;
  /** Time of sockets: lingers, timeouts, keepalives. Real by default, also where `clock` is driven. */
  ioClock?: Clock;
  limits: Limits;
  region: string;
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
  readonly appender: Appender;
  readonly events: IngestEvents;
  readonly #deps: IngestDeps;
  readonly #registry: SessionRegistry;
  readonly #intake: Intake;
  readonly #announcer: Announcer;
  readonly #sessionDeps: SessionDeps;
  readonly #outlet: Outlet;
  readonly #stopSweep: () => void;
  #cancelTelling: (() => void) | undefined;
  #draining = false;

  constructor(deps: IngestDeps) {
    const { log, spool, bus, trips, authenticator, clock, limits, region, telemetry } = deps;
    const ioClock = deps.ioClock ?? systemClock;
    const logger = telemetry.logger.child({ part: "ingest", gatewayId: deps.gatewayId });
    const events = new IngestEvents({ logger, registry: telemetry.registry });
    this.#deps = deps;
    this.limits = limits;
    this.ioClock = ioClock;
    this.events = events;
    this.#outlet = new Outlet({ log, spool, ioClock, onDrained: () => this.#tellDrainedSoon() });
    this.appender = new Appender({ outlet: this.#outlet, ioClock, limits, events });
    this.#registry = new SessionRegistry(this.appender, limits, clock);
    this.#intake = new Intake({ clock, ioClock, limits, events });
    this.#announcer = new Announcer({ bus, clock, events });
    this.#sessionDeps = {
      ...{ intake: this.#intake, announcer: this.#announcer, registry: this.#registry },
      ...{ bus, trips, authenticator, clock, ioClock, limits, region, events },
    };
    this.#stopSweep = ioClock.every(SWEEP_PERIOD_MS, () => this.#registry.sweep());
  }

  /** True from the start of {@link drain} on. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Streams open now. */
  get openStreams(): number {
    return this.#registry.streams.size;
  }

  /** Undefined while fixes are taken, by the log or by the spool; else why not. */
  health(): Promise<Error | undefined> {
    return this.#outlet.health();
  }

  /** The caller as its token says. Rejects with TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED or ROLE_FORBIDDEN. */
  async authenticate(token: string | undefined): Promise<Principal> {
    const principal = await this.#deps.authenticator.authenticate(token);
    if (principal.role !== "driver" && principal.role !== "rider") throw new BimrideError("ROLE_FORBIDDEN");
    if (!ID_PATTERN.test(principal.subject)) throw new BimrideError("TOKEN_INVALID");
    if (this.#deps.clock.now() >= principal.expiresAtMs) throw new BimrideError("TOKEN_EXPIRED");
    return principal;
  }

  /** Opens a stream. Throws DRAINING or OVERLOADED. */
  openSession(options: StreamOptions): IngestSession {
    if (this.#draining) throw new BimrideError("DRAINING");
    const session = new IngestSession(this.#sessionDeps, options);
    this.#registry.add(session);
    this.events.streams(options.transport, 1);
    return session;
  }

  /** One hello, one batch, its verdicts. Rejects with any error of the vocabulary, which the caller counts. */
  async publishBatch(
    call: CallContext,
    hello: HelloInput,
    batch: BatchInput,
  ): Promise<{ ack: Ack; wantedRate: WantedRate }> {
    const { principal, transport, traceparent } = call;
    if (this.#draining) throw new BimrideError("DRAINING");
    const fault = helloFaultOf(hello);
    if (fault) throw fault;
    const party = partyOf(principal, hello, "hello.party");
    const state = this.#registry.batchSession(party, hello);
    if (!state.announced) {
      this.#announcer.opened(state, transport, traceparent);
      this.#registry.supersedeOlder(state);
    }
    state.clockOffset.sample(this.#deps.clock.now(), hello.deviceTimeMs);
    this.#announcer.deviceState(state, hello.deviceState, traceparent);
    const trip = withinReadTime(readTrip(this.#deps.trips, party), undefined, this.ioClock);
    const maxFixes = this.limits.maxFixesPerBatch;
    const ack = await this.#intake.take(state, batch, { traceparent, maxFixes });
    return { ack, wantedRate: wantedRateFor(await trip) };
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
    await this.#outlet.close(untilMs - ioClock.monotonic());
  }

  /** Ends what is left at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#draining = true;
    this.#stopSweep();
    await this.#endAll();
    await this.#outlet.close(0);
    this.#cancelTelling?.();
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
    await this.appender.flush();
  }
}
