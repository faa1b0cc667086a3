import { Gate } from "../../cassandra/gate.ts";
import type { CassandraLink } from "../../cassandra/link.ts";
import { BimrideError } from "../../core/errors.ts";
import { type Clock, systemClock } from "../../core/time.ts";
import type { Trip } from "../../core/trip.ts";
import type { IdempotencyClaim, PendingChange, PutResult, TripFilter, Trips } from "../trips.ts";
import { type Attempt, attemptSource } from "./attempt.ts";
import { DRIVERS, Holds, KEYS } from "./holds.ts";
import { Outbox } from "./outbox.ts";
import { leftDriverOf, put, runningDriverOf } from "./put.ts";
import { TripIndex } from "./trip-index.ts";
import { TripRows } from "./trip-rows.ts";

export type CassandraTripsOptions = {
  /** Its keyspace has the tables of `migrate`. Disposed by whoever opened it, after the trips. */
  link: CassandraLink;
  /** The clocks of the processes must agree within half a minute. */
  clock?: Clock;
  /** Trips leave by themselves so long after they ended. */
  retentionMs: number;
  /** How long a driver or key may be taken for a trip that is not stored, before somebody else takes it over. */
  holdGraceMs?: number;
  /** How long an outbox row may wait for its trip before it is taken to be left over. */
  orphanAfterMs?: number;
};

/** Puts at once, and as many that wait; beyond, they are refused with STORE_UNAVAILABLE. */
const PUTS = { atOnce: 256, waiting: 4_096 } as const;
const HOLD_GRACE_MS = 2_000;
const ORPHAN_AFTER_MS = 60_000;
/** Puts whose end is remembered until they are published; forgotten ones are settled once more. */
const MAX_SETTLED = 10_000;

/**
 * Opens the trips in Cassandra. What was answered is with a quorum of the data centre's copies.
 *
 * **What decides** is the trip's own row: a put takes effect with one conditional statement on it (COMMIT), which stores
 * the version, names the put as not yet published, and asks that version and fence are as the put read them. Everything
 * else is a claim that is judged by that row, so whatever a crash leaves can be told from what is true.
 *
 * **The order of a put**, and what a crash after each step leaves:
 * 1. the driver is taken for the trip (trip_of_driver), if the trip comes to run with them;
 * 2. the idempotency key likewise (trip_of_key). *Left after 1, 2:* a hold for a trip that does not stand for it.
 *    `runningOf` looks at the trip and finds nobody; who wants the driver or the key waits `holdGraceMs` at most, fences
 *    the trip and takes the hold over. So nobody is busy for ever;
 * 3. the outbox row, 4. index rows. *Left after 3, 4:* rows that speak of a put the trip does not name: lists and
 *    `pending` pass over them, and `pending` removes them after `orphanAfterMs`, the trip fenced first;
 * 5. COMMIT. *Left after 5:* the change is stored: `pending` lists it, and with its publication step 6 is done. A driver
 *    whom the trip left may still be held; see 2;
 * 6. the hold of the driver whom the trip left is removed, index rows of what ended get their TTL;
 * 7. published: the trip's row does not name the put any more, 8. the outbox row goes. *Left after 7:* see 3.
 *
 * **The fence** keeps a driver from being booked twice. A number in the trip's row that a put reads before it takes
 * anything and that its COMMIT asks for. Who removes or takes over a hold reads the hold, raises the fence of its trip,
 * looks whether the trip stands for the hold after all, and only then removes it, if it still bears the same stamp. A put
 * that read the old number can't be carried out any more, however late it comes (a process that was stopped, a node that
 * hung); one that read the new number has put a new stamp on the hold since. So a running trip with a driver always has
 * the hold, and a hold has one trip. An outbox row is removed likewise, so that no change is stored without one.
 *
 * **Unknown outcomes.** A conditional statement without an answer is read back serially; who can't tell is told
 * STORE_UNAVAILABLE, and all that was written stays to be judged later.
 *
 * **One data centre.** Conditions are agreed on within the data centre (LOCAL_SERIAL): a keyspace that has copies in
 * several is written from one of them only, the others being there for the day it is lost.
 *
 * **Expiry.** Rows of a trip that runs have no TTL, however long nothing happens; with the put that ends it all its cells
 * are written anew with one TTL, the retention. What is not published has none. A new retention holds for trips that end
 * from then on. Keys are kept 48 h.
 */
export async function openCassandraTrips(options: CassandraTripsOptions): Promise<Trips> {
  return new CassandraTrips(options);
}

class CassandraTrips implements Trips {
  readonly #rows: TripRows;
  readonly #drivers: Holds;
  readonly #keys: Holds;
  readonly #outbox: Outbox;
  readonly #index: TripIndex;
  readonly #nextAttempt: () => Attempt;
  readonly #puts = new Gate(PUTS.atOnce, PUTS.waiting);
  /** Puts of this instance that left nothing to settle. Oldest first. */
  readonly #settled = new Set<string>();
  readonly #underWay = new Set<Promise<unknown>>();
  #closed = false;

  constructor(options: CassandraTripsOptions) {
    const { link, clock = systemClock, retentionMs } = options;
    const { holdGraceMs: graceMs = HOLD_GRACE_MS, orphanAfterMs = ORPHAN_AFTER_MS } = options;
    this.#rows = new TripRows(link, retentionMs);
    const holds = { link, rows: this.#rows, clock, graceMs };
    this.#drivers = new Holds({
      ...holds,
      table: DRIVERS,
      stands: (driverId, { trip }) => runningDriverOf(trip) === driverId,
    });
    this.#keys = new Holds({ ...holds, table: KEYS, stands: (_, { version }) => version > 0 });
    this.#index = new TripIndex(link, this.#rows, clock, retentionMs);
    this.#outbox = new Outbox({
      ...{ link, rows: this.#rows, clock, orphanAfterMs },
      onOrphan: (change, newest) => this.#dropOrphan(change, newest),
    });
    this.#nextAttempt = attemptSource(clock);
  }

  put(trip: Trip, claim?: IdempotencyClaim): Promise<PutResult> {
    const deps = {
      ...{ rows: this.#rows, drivers: this.#drivers, keys: this.#keys },
      ...{ outbox: this.#outbox, index: this.#index, nextAttempt: this.#nextAttempt },
      settled: (attempt: Attempt) => this.#remember(attempt),
    };
    return this.#whileOpen(() => this.#puts.run(() => put(deps, trip, claim)));
  }

  get(tripId: string): Promise<Trip | undefined> {
    return this.#whileOpen(async () => (await this.#rows.read(tripId)).trip);
  }

  list(filter: TripFilter, limit: number, after: string): Promise<Trip[]> {
    return this.#whileOpen(() => this.#index.list(filter, limit, after));
  }

  runningOf(driverId: string): Promise<Trip | undefined> {
    return this.#whileOpen(async () => {
      const hold = driverId === "" ? undefined : await this.#drivers.read(driverId);
      const trip = hold && (await this.#rows.read(hold.tripId)).trip;
      return runningDriverOf(trip) === driverId ? trip : undefined;
    });
  }

  /** A change that another instance stored may be missing for up to 2 s. */
  pending(regions: readonly string[], limit: number): Promise<PendingChange[]> {
    return this.#whileOpen(() => this.#outbox.pending(regions, limit));
  }

  published(tripId: string, version: number): Promise<void> {
    return this.#whileOpen(async () => {
      const { trip, unpublished } = await this.#rows.read(tripId);
      const attempt = unpublished.get(version);
      if (!attempt) return;
      if (!this.#settled.has(attempt.toString())) await this.#settleAgain(attempt, trip);
      await this.#rows.unlist(tripId, version);
      await this.#outbox.remove(attempt);
      this.#settled.delete(attempt.toString());
    });
  }

  /** What a put that died, or could not reach the store any more, left to do after its trip was stored. */
  async #settleAgain(attempt: Attempt, newest: Trip | undefined): Promise<void> {
    const change = await this.#outbox.get(attempt);
    if (!change) return;
    const driverId = leftDriverOf(change.trip, change.previous);
    if (driverId !== "") await this.#drivers.settle(driverId, change.trip.tripId);
    await this.#index.settle(newest ?? change.trip, change.previous);
  }

  async #dropOrphan({ trip }: PendingChange, newest: Trip | undefined): Promise<void> {
    const driverId = runningDriverOf(trip);
    if (driverId !== "") await this.#drivers.settle(driverId, trip.tripId);
    await this.#index.withdraw(trip, newest);
  }

  #remember(attempt: Attempt): void {
    this.#settled.add(attempt.toString());
    if (this.#settled.size > MAX_SETTLED) this.#settled.delete(this.#settled.values().next().value!);
  }

  async #whileOpen<T>(task: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new BimrideError("STORE_UNAVAILABLE", "The trips are closed.");
    const running = task();
    this.#underWay.add(running);
    try {
      return await running;
    } finally {
      this.#underWay.delete(running);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
  }
}
