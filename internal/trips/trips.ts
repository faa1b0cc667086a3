import type { Trip } from "../core/trip.ts";

/**
 * PORT: the trips, the authority on what a trip is.
 *
 * Implementations must ensure
 * - compare-and-set: `put` stores only when the stored version is `trip.version - 1` (0: none), atomically; else it says
 *   why and changes nothing;
 * - one running trip per driver: `put` never stores a second one, also when two are tried at once;
 * - the outbox: a stored change is listed by `pending` until `published` names it, also after a crash at any moment
 *   (so that it reaches the log at least once);
 * - idempotency: a key is remembered for 24 h at least;
 * - durability: what `put` answered true for survives a crash.
 * Any method rejects with STORE_UNAVAILABLE when the engine can't be reached.
 */
export interface Trips {
  /**
   * Stores a new version. With `idempotency` (creation only) the key is claimed in the same step; when it is taken
   * already, nothing is stored and the earlier claim comes back, before anything else is looked at.
   */
  put(trip: Trip, idempotency?: IdempotencyClaim): Promise<PutResult>;
  get(tripId: string): Promise<Trip | undefined>;
  /** Newest first. `after` is the last trip id of the page before, empty for the first page. */
  list(filter: TripFilter, limit: number, after: string): Promise<Trip[]>;
  /** The running trip of the driver. */
  runningOf(driverId: string): Promise<Trip | undefined>;
  /**
   * Stored changes of the regions' trips not yet in the log, oldest first; those that another process stored may come some
   * seconds later. What waits in other regions costs and hides nothing.
   */
  pending(regions: readonly string[], limit: number): Promise<PendingChange[]>;
  /** The change is in the log. */
  published(tripId: string, version: number): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export type TripFilter = { riderId?: string; driverId?: string; runningOnly?: boolean };
/** @property digest hash of the request, to tell a repeat from another request under the same key */
export type IdempotencyClaim = { key: string; digest: string; nowMs: number };
export type PutResult =
  | { stored: true }
  | { stored: false; reason: "version" }
  | { stored: false; reason: "driverBusy" }
  | { stored: false; reason: "idempotency"; tripId: string; digest: string };
/** A change as the outbox has it; `previous` is the version it replaced, whose home partition must hear of it too. */
export type PendingChange = { trip: Trip; previous: Trip | undefined };
