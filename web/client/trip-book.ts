import type { WatchTripsResponse } from "../../gen/bimride/tracking/v1/live_pb.ts";
import { type Connection, type ConnectionReason, describeConnection } from "./connection.ts";
import {
  applyFreshness,
  applyRider,
  applySnapshot,
  applyUpdate,
  assumeFreshness,
  emptyState,
  type LiveState,
  withFreshness,
  withRiders,
} from "./trip-state.ts";
import type { WatchClock } from "./watch-clock.ts";

/** A trip that can't be watched: a code of docs/ERRORS.md, and whether that may change. */
export type TripProblem = { code: string; retryable: boolean };

/** Everything a client knows of a trip. Replaced on every change, never changed. */
export type TripState = LiveState & {
  connection: Connection;
  /** Why nothing (more) comes; undefined while all is well. */
  problem: TripProblem | undefined;
};

/** What is different from the state before. With `version` the position, trail, trip or freshness may have changed. */
export type TripStateChange = "version" | "freshness" | "riders" | "connection" | "problem";

/** How much longer than the server's own limits a silence is trusted, milliseconds: the server's word comes first. */
const FRESHNESS_SLACK_MS = 5_000;
const TICK_MS = 1_000;

/** The states of the watched trips, and who wants to know of them. Bounded by the number of trips. */
export class TripBook {
  readonly states = new Map<string, TripState>();
  readonly #clock: WatchClock;
  readonly #listeners = new Set<(state: TripState, change: TripStateChange) => void>();
  #serverOffsetMs = 0;
  #closed = false;
  #cancelTick: () => void;
  #onClose = new Set<() => void>();

  constructor(tripIds: readonly string[], clock: WatchClock) {
    this.#clock = clock;
    const connection = describeConnection("offline", "starting", clock.now());
    for (const tripId of tripIds)
      this.states.set(tripId, { ...emptyState(tripId), connection, problem: undefined });
    this.#cancelTick = clock.after(TICK_MS, () => this.#tick());
  }

  /** Server time now as estimated, milliseconds since 1970. */
  serverNow(): number {
    return this.#clock.now() + this.#serverOffsetMs;
  }

  /** Trips that may still bring news. */
  openTrips(): TripState[] {
    return [...this.states.values()].filter((state) => !state.problem || state.problem.retryable);
  }

  /** Takes a message of any session. */
  take(response: WatchTripsResponse): void {
    const { message } = response;
    switch (message.case) {
      case "started":
        // Where riders are is not resumed: what still holds is told anew.
        for (const { tripId } of [...this.states.values()])
          this.#setRiders(tripId, (state) => withRiders(state, []));
        this.#serverOffsetMs = Number(message.value.serverTimeMs) - this.#clock.now();
        return;
      case "heartbeat":
        this.#serverOffsetMs = Number(message.value.serverTimeMs) - this.#clock.now();
        return;
      case "snapshot":
        this.#advance(message.value.trip?.tripId, (state) => applySnapshot(state, message.value));
        this.#setRiders(message.value.trip?.tripId, (state) => withRiders(state, message.value.riders));
        return;
      case "rider":
        this.#setRiders(message.value.tripId, (state) => applyRider(state, message.value));
        return;
      case "update":
        this.#advance(message.value.tripId, (state) => applyUpdate(state, message.value));
        return;
      case "unchanged":
        this.#advance(message.value.tripId, (state) => applyFreshness(state, message.value.freshness));
        return;
      case "unavailable": {
        const { tripId, code, retryable } = message.value;
        const state = this.states.get(tripId);
        if (state) this.#set({ ...state, problem: { code, retryable } }, "problem");
        return;
      }
      case undefined:
        // A kind of message newer than this library.
        return;
    }
  }

  setConnection(transport: Connection["transport"], reason: ConnectionReason): void {
    for (const state of this.states.values()) {
      if (state.connection.transport === transport && state.connection.reason === reason) continue;
      const connection = describeConnection(transport, reason, this.#clock.now());
      this.#set({ ...state, connection }, "connection");
    }
  }

  subscribe(listener: (state: TripState, change: TripStateChange) => void): () => void {
    this.#listeners.add(listener);
    for (const state of this.states.values()) listener(state, "version");
    return () => this.#listeners.delete(listener);
  }

  /** The newest state of each trip that changed since it was last given; ends with close or when all is over. */
  async *iterate(): AsyncGenerator<TripState> {
    const changed = new Map<string, TripState>();
    let wake: () => void = () => {};
    const leave = this.subscribe((state) => {
      changed.set(state.tripId, state);
      wake();
    });
    const onClose = () => wake();
    this.#onClose.add(onClose);
    try {
      for (;;) {
        for (const [tripId, state] of changed) {
          changed.delete(tripId);
          yield state;
        }
        if (changed.size > 0) continue;
        if (this.#closed) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      leave();
      this.#onClose.delete(onClose);
    }
  }

  /** Nothing will come any more; what is known stays. */
  rest(): void {
    this.#closed = true;
    this.#cancelTick();
    for (const wake of this.#onClose) wake();
  }

  close(): void {
    this.#listeners.clear();
    this.rest();
  }

  #advance(tripId: string | undefined, apply: (state: LiveState) => LiveState): void {
    const state = tripId === undefined ? undefined : this.states.get(tripId);
    if (!state) return;
    const next = apply(state);
    if (next === state) return;
    const change = next.version === state.version ? "freshness" : "version";
    this.#set({ ...next, connection: state.connection, problem: undefined }, change);
  }

  #setRiders(tripId: string | undefined, apply: (state: LiveState) => LiveState): void {
    const state = tripId === undefined ? undefined : this.states.get(tripId);
    if (!state) return;
    const { riders } = apply(state);
    if (riders !== state.riders) this.#set({ ...state, riders }, "riders");
  }

  #set(state: TripState, change: TripStateChange): void {
    if (this.#closed) return;
    this.states.set(state.tripId, state);
    for (const listener of this.#listeners) listener(state, change);
  }

  /** Once a second: a position that grows old without a word from the server is not to be trusted. */
  #tick(): void {
    this.#cancelTick = this.#clock.after(TICK_MS, () => this.#tick());
    for (const state of this.openTrips()) {
      const slackMs = state.connection.transport === "offline" ? 0 : FRESHNESS_SLACK_MS;
      const view = assumeFreshness(state.freshness, state.position, this.serverNow() - slackMs);
      const next = withFreshness(state, view);
      if (next !== state) this.#set({ ...state, freshness: next.freshness }, "freshness");
    }
  }
}
