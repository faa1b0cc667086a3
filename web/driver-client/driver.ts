import { createTokenKeeper } from "../client/token-keeper.ts";
import { deviceClock, type WatchClock } from "../client/watch-clock.ts";
import type { ActionOutcome, DriverAction } from "./actions.ts";
import { Briefing } from "./briefing.ts";
import { type DriverConnectionReason, describeDriverConnection } from "./connection.ts";
import type { DeviceReport } from "./device.ts";
import { DEFAULT_MAX_FIXES, type DriverOptions, MIN_MAX_FIXES } from "./driver-options.ts";
import { type DriverState, RATE_BEFORE_WELCOME } from "./driver-state.ts";
import type { StoredFix } from "./fix-store.ts";
import { Journal } from "./journal.ts";
import { Outbox } from "./outbox.ts";
import type { CapturedFix, Position } from "./position.ts";
import { Sampler } from "./sampler.ts";
import type { DriverTransportName } from "./transport.ts";
import { Uplink } from "./uplink.ts";

/**
 * A driver: keeps every position until a gateway answers for it, sends the newest first, comes back by itself. Made by
 * {@link startDriver}.
 */
export class Driver {
  readonly #clock: WatchClock;
  readonly #journal: Journal;
  readonly #sampler = new Sampler();
  readonly #outbox: Outbox;
  readonly #uplink: Uplink;
  readonly #listeners = new Set<(state: DriverState) => void>();
  #state: DriverState;
  #isStopped = false;

  /** Use {@link startDriver}. */
  constructor(options: DriverOptions, journal: Journal, fixes: readonly StoredFix[]) {
    const { clock = deviceClock, random = Math.random } = options;
    this.#clock = clock;
    this.#journal = journal;
    this.#state = firstState(clock);
    const briefing = new Briefing(
      (wantedRate) => {
        this.#change({ wantedRate });
        options.onWantedRate?.(wantedRate);
      },
      (assignment) => {
        this.#change({ assignment });
        options.onAssignment?.(assignment);
      },
    );
    const tokens = createTokenKeeper(options.token, clock);
    this.#outbox = new Outbox({
      ...{ journal, fixes, clock, random, tokens },
      maxFixes: Math.max(MIN_MAX_FIXES, options.maxFixes ?? DEFAULT_MAX_FIXES),
      assignmentVersion: () => briefing.assignment?.version ?? 0n,
      batchTransport: (token) => this.#uplink.batchTransport(token),
      helloOf: (sessionId) => this.#uplink.helloOf(sessionId),
      mayConnect: () => this.#uplink.isOnline,
      onNewSession: () => this.#uplink.renew(),
      onChange: () => this.#counted(),
      onRefused: (fix, reason, field) => options.onRefused?.(fix, reason, field),
      onDropped: (count) => options.onDropped?.(count),
    });
    this.#uplink = new Uplink({
      ...{ options, clock, random, tokens, journal, briefing },
      outbox: this.#outbox,
      onConnection: (transport, reason) => this.#connection(transport, reason),
      onSuperseded: (retryAfterMs) =>
        this.#change({ superseded: { takeOverAfterMs: this.#clock.now() + retryAfterMs } }),
      onProblem: (problem) => options.onProblem?.(problem),
    });
    this.#counted();
    this.#uplink.start();
    this.#outbox.start();
  }

  /** Everything that there is to show. */
  get state(): DriverState {
    return this.#state;
  }

  /** The session that positions are captured in now. */
  get sessionId(): string {
    return this.#journal.sessionId;
  }

  /** Calls the listener now and with every change. Returns how to leave. */
  subscribe(listener: (state: DriverState) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#state);
    return () => this.#listeners.delete(listener);
  }

  /** A position that the device gives: sent when it is wanted (see {@link Sampler}). True when it was. */
  offer(position: Position): boolean {
    if (!this.#isDriving) return false;
    const atMs = position.capturedAtMs ?? this.#clock.now();
    if (!this.#sampler.takes(position, atMs, this.#state.wantedRate)) return false;
    this.record(position);
    return true;
  }

  /** A position that is sent whatever rate is wanted. Undefined when stopped or superseded: it is not kept then. */
  record(position: Position): CapturedFix | undefined {
    return this.#isDriving ? this.#outbox.record(position) : undefined;
  }

  /**
   * Does something on the driver's trip. Resolves with what became of it, however long that takes: it is repeated over every
   * new stream until it is answered, which is safe. Not kept beyond this object's life.
   * @param tripId the assigned one by default
   */
  async act(action: DriverAction, tripId?: string): Promise<ActionOutcome> {
    const trip = this.#state.assignment?.trip;
    const id = tripId ?? trip?.tripId;
    if (id === undefined) return { code: "NOT_FOUND", message: "There is no trip.", retryable: false };
    // Named, so that a repeat that comes late is not taken for the next waypoint.
    const atWaypoint = (action === "arrive" || action === "start") && trip?.tripId === id;
    return this.#uplink.actions.act(id, action, atWaypoint ? trip.waypointIndex : undefined);
  }

  /** What the device says of itself; told to the gateway where it changed. */
  reportDevice(report: DeviceReport): void {
    this.#uplink.device.report(report);
  }

  /** The device lost or got back its network. */
  setOnline(isOnline: boolean): void {
    if (!this.#isStopped) this.#uplink.setOnline(isOnline);
  }

  /** To be called when the app is seen again: tries at once instead of waiting, and doubts a silent connection. */
  wake(): void {
    if (!this.#isStopped) this.#uplink.wake();
  }

  /**
   * After `state.superseded`: this device is to drive again, in a session of its own. What is unsent of the old one goes to
   * history, unless that session was revoked: then it is refused. False while take-overs are refused, and when there is nothing to take over.
   */
  takeOver(): boolean {
    const { superseded } = this.#state;
    if (!superseded || this.#isStopped || this.#clock.now() < superseded.takeOverAfterMs) return false;
    this.#change({ superseded: undefined });
    this.#uplink.takeOver();
    return true;
  }

  /** Ends in order. What is unsent stays in the store. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    await this.#uplink.close();
    await this.#outbox.close();
    this.#connection(undefined, "stopped");
    this.#listeners.clear();
  }

  get #isDriving(): boolean {
    return !this.#isStopped && this.#state.superseded === undefined;
  }

  #connection(transport: DriverTransportName | undefined, reason: DriverConnectionReason): void {
    const { connection } = this.#state;
    if (connection.transport === transport && connection.reason === reason) return;
    this.#change({ connection: describeDriverConnection(transport, reason, this.#clock.now()) });
  }

  #counted(): void {
    const { unsent, settled, refusals: refused, dropped } = this.#outbox;
    this.#change({ unsent, settled, refused, dropped, isPersistent: this.#journal.isPersistent });
  }

  #change(change: Partial<DriverState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener(this.#state);
  }
}

/** Starts a driver: reads what the store has, goes on with its session, and connects. Rejects never but for a base URL that is none. */
export async function startDriver(options: DriverOptions): Promise<Driver> {
  new URL(options.baseUrl);
  const { journal, fixes } = await Journal.open({
    store: options.store,
    random: options.random ?? Math.random,
    onFailed: (error) => options.onStoreFailed?.(error),
  });
  return new Driver(options, journal, fixes);
}

function firstState(clock: WatchClock): DriverState {
  return {
    connection: describeDriverConnection(undefined, "starting", clock.now()),
    ...{ unsent: 0, settled: 0, refused: 0, dropped: 0, isPersistent: true },
    wantedRate: RATE_BEFORE_WELCOME,
    assignment: undefined,
    superseded: undefined,
  };
}
