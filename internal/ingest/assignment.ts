import type { Party } from "../core/fix.ts";
import type { Clock } from "../core/time.ts";
import { isRunning, type Trip } from "../core/trip.ts";
import type { Trips } from "../trips/trips.ts";
import type { IngestEvents } from "./events.ts";
import type { Assignment, AssignmentEnd } from "./messages.ts";
import type { SessionState } from "./session-state.ts";

/** A Welcome or an answer does not wait longer for the trips store. */
const READ_TIMEOUT_MS = 1_000;
/** Pause after the trips store failed. */
const RETRY_MS = 5_000;

export type AssignmentDeps = { trips: Trips; clock: Clock; ioClock: Clock; events: IngestEvents };

/** Running trips of a rider that are looked at: the newest. */
const MAX_RIDER_TRIPS = 8;

/**
 * The party's running trip, or undefined when there is none. A rider may have several: then it is the newest of those that
 * they share their place with, else the newest. Rejects with STORE_UNAVAILABLE.
 */
export async function readTrip(trips: Trips, { kind, id }: Party): Promise<Trip | undefined> {
  if (kind === "driver") return trips.runningOf(id);
  const found = await trips.list({ riderId: id, runningOnly: true }, MAX_RIDER_TRIPS, "");
  return found.find((trip) => trip.sharingRiderIds.includes(id)) ?? found[0];
}

/** Resolves with the promise, or with `fallback` when that rejects or takes longer than the store may. Never rejects. */
export function withinReadTime<T>(promise: Promise<T>, fallback: T, ioClock: Clock): Promise<T> {
  return new Promise((resolve) => {
    const cancel = ioClock.after(READ_TIMEOUT_MS, () => resolve(fallback));
    promise.then(resolve, () => resolve(fallback)).finally(cancel);
  });
}

/**
 * What one stream's driver is to do, and which trip a rider is on: read whole at the start and again on each word from the bus, so nothing is queued
 * and a lost message costs one reading. The version is the trip's change time (that of the reading when there is no
 * trip), raised where needed so that it only rises on a session; it stays while nothing changes, also across reconnects.
 */
export class AssignmentFeed {
  readonly #deps: AssignmentDeps;
  readonly #state: SessionState;
  readonly #changed: (assignment: Assignment) => void;
  #trip: Trip | undefined;
  #isKnown = false;
  #reading: Promise<void> | undefined;
  #again = false;
  #closed = false;
  #cancelRetry: () => void = () => {};

  /** @param changed called after each change */
  constructor(deps: AssignmentDeps, state: SessionState, changed: (assignment: Assignment) => void) {
    this.#deps = deps;
    this.#state = state;
    this.#changed = changed;
  }

  /** As last read; version 0 before that. Empty for riders: nobody tells them what to do. */
  get current(): Assignment {
    const { assignmentVersion: version, assignmentEnd: ended, party } = this.#state;
    return { version, trip: party.kind === "driver" ? this.#trip : undefined, ended };
  }

  /** The party's trip as last read. */
  get trip(): Trip | undefined {
    return this.#trip;
  }

  /** False until the store has answered once: then nothing can be said of a trip. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Reads again; calls that come during a reading share one more. Never rejects: a failed reading is repeated. */
  refresh(): Promise<void> {
    if (this.#reading) {
      this.#again = true;
      return this.#reading;
    }
    this.#reading = this.#read().finally(() => {
      this.#reading = undefined;
      if (!this.#again || this.#closed) return;
      this.#again = false;
      void this.refresh();
    });
    return this.#reading;
  }

  close(): void {
    this.#closed = true;
    this.#cancelRetry();
  }

  async #read(): Promise<void> {
    const { trips, clock, ioClock, events } = this.#deps;
    const state = this.#state;
    let trip: Trip | undefined;
    try {
      trip = await readTrip(trips, state.party);
    } catch (error) {
      events.assignmentUnknown(state.partyKey, error);
      if (!this.#closed) this.#cancelRetry = ioClock.after(RETRY_MS, () => void this.refresh());
      return;
    }
    if (state.party.kind === "rider") {
      this.#riderIsOn(trip);
      return;
    }
    const before = state.assigned;
    const ended = before && before.tripId !== trip?.tripId ? await this.#endOf(before.tripId) : undefined;
    if (this.#closed) return;
    this.#trip = trip;
    this.#isKnown = true;
    const same = trip ? before?.tripId === trip.tripId && before.version === trip.version : before === null;
    if (same) return;
    if (before?.tripId !== trip?.tripId) state.assignmentEnd = ended;
    state.assigned = trip ? { tripId: trip.tripId, version: trip.version } : null;
    const changedAtMs = Math.round(trip?.updatedAtMs ?? clock.now());
    state.assignmentVersion = Math.max(changedAtMs, state.assignmentVersion + 1);
    this.#changed(this.current);
  }

  /** Where a rider belongs follows from their trip, and that is all. */
  #riderIsOn(trip: Trip | undefined): void {
    if (this.#closed) return;
    const same =
      this.#isKnown && this.#trip?.tripId === trip?.tripId && this.#trip?.version === trip?.version;
    this.#trip = trip;
    this.#isKnown = true;
    if (!same) this.#changed(this.current);
  }

  /** How a trip that the driver has no more came to be gone; undefined when the store can't tell now. */
  async #endOf(tripId: string): Promise<AssignmentEnd | undefined> {
    const { trips, events } = this.#deps;
    try {
      const trip = await trips.get(tripId);
      if (!trip) return undefined;
      const { status, cancelReason } = trip;
      const reason =
        trip.driverId !== this.#state.party.id || isRunning(trip)
          ? "reassigned"
          : status === "COMPLETE"
            ? "complete"
            : "canceled";
      return { tripId, reason, cancelReason: reason === "canceled" ? cancelReason : "" };
    } catch (error) {
      events.assignmentUnknown(this.#state.partyKey, error);
      return undefined;
    }
  }
}
