import type { types } from "cassandra-driver";
import type { CassandraLink } from "../../cassandra/link.ts";
import { BimrideError } from "../../core/errors.ts";
import { regionOfTrip } from "../../core/ids.ts";
import type { Clock } from "../../core/time.ts";
import type { Trip } from "../../core/trip.ts";
import { storedTrip } from "../stored-trip.ts";
import type { PendingChange } from "../trips.ts";
import { type Attempt, beganAtMs } from "./attempt.ts";
import { Buckets } from "./buckets.ts";
import { inTurns } from "./in-turns.ts";
import type { TripRows } from "./trip-rows.ts";

const ADD =
  "INSERT INTO trip_outbox (bucket, attempt, trip_id, version, body, previous) VALUES (?, ?, ?, ?, ?, ?)";
const ONE = "SELECT trip_id, version, body, previous FROM trip_outbox WHERE bucket = ? AND attempt = ?";
const SOME =
  "SELECT attempt, trip_id, version, body, previous FROM trip_outbox WHERE bucket = ? AND attempt > ? LIMIT ?";
const REMOVE = "DELETE FROM trip_outbox WHERE bucket = ? AND attempt = ?";

const BUCKET_MS = 10_000;
/** How long a put may take to get its row into the bucket of its beginning. */
const MAX_ADDING_MS = 30_000;
/** From then on no row comes into a bucket any more, also by clocks that are half a minute apart. */
const SETTLED_AFTER_MS = 2 * MAX_ADDING_MS;
/** A bucket that was found empty is looked at again after this, or after a share of its age if that is more. */
const LOOK_AGAIN_MS = 2_000;
const LOOK_AGAIN_SHARE = 0.5;
/** Rows of a bucket read at once. */
const ROWS_AT_ONCE = 50;
const ZERO = "00000000-0000-1000-8080-808080808080";

export type OutboxOptions = {
  link: CassandraLink;
  rows: TripRows;
  clock: Clock;
  /** A row whose put has stored nothing in this time is taken to be left over. */
  orphanAfterMs: number;
  /** What else to do about a change that was never stored. @param newest the trip as it is stored */
  onOrphan(change: PendingChange, newest: Trip | undefined): Promise<void>;
};

/** By region, when a bucket is to be read again for it, by the monotonic clock; one that is not in it need not wait. */
type LookTimes = Map<string, number>;

/**
 * Changes on their way to the log. A row is written before its trip, and counts once the trip's row names it; one that
 * never came to that goes after a while, its trip fenced first. Rows lie in buckets of 10 s by when their put began. An
 * instance reads a bucket again and again, with growing pauses, until it is empty and settled; the bucket is dropped
 * from the list then. So what was deleted is passed a few times and never again, however long the outbox works.
 * Regions share the buckets. A bucket in which those asked for have nothing is one that is empty to them, so what others
 * leave there is passed with growing pauses, and never looked up.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #buckets: Buckets;
  readonly #looks = new Map<number, LookTimes>();
  #listAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#buckets = new Buckets(options.link, options.clock, "outbox", SETTLED_AFTER_MS);
  }

  /** Resolves when the row is there in time; else the put must begin anew. */
  async add(attempt: Attempt, trip: Trip, previous: Trip | undefined): Promise<void> {
    const { link, clock } = this.#options;
    const bucket = bucketOf(attempt);
    const startedMs = clock.monotonic();
    await this.#buckets.use(bucket);
    const body = JSON.stringify(trip);
    const before = previous === undefined ? null : JSON.stringify(previous);
    await link.execute(ADD, [bucket, attempt, trip.tripId, trip.version, body, before]);
    this.#looksOf(bucket).delete(regionOfTrip(trip.tripId));
    const late = clock.monotonic() - startedMs > MAX_ADDING_MS;
    if (late) throw new BimrideError("STORE_UNAVAILABLE", "The store takes too long.");
  }

  async get(attempt: Attempt): Promise<PendingChange | undefined> {
    const row = (await this.#options.link.execute(ONE, [bucketOf(attempt), attempt])).first();
    return row && changeOf(row);
  }

  async remove(attempt: Attempt): Promise<void> {
    await this.#options.link.execute(REMOVE, [bucketOf(attempt), attempt]);
  }

  /** The oldest stored changes of the regions. Takes away what was never stored. */
  async pending(regions: readonly string[], limit: number): Promise<PendingChange[]> {
    const { clock } = this.#options;
    const nowMs = clock.monotonic();
    if (nowMs - this.#listAtMs >= LOOK_AGAIN_MS) await this.#list(nowMs);
    const found: PendingChange[] = [];
    for (const [bucket, lookAtMs] of [...this.#looks].sort(([a], [b]) => a - b)) {
      const due = regions.filter((region) => (lookAtMs.get(region) ?? Number.NEGATIVE_INFINITY) <= nowMs);
      if (due.length === 0) continue;
      try {
        found.push(...(await this.#lookInto(bucket, lookAtMs, due, limit - found.length)));
      } catch (error) {
        lookAtMs.clear();
        throw error;
      }
      if (found.length >= limit) break;
    }
    return inOrder(found.slice(0, limit));
  }

  /** Learns of buckets that others use. */
  async #list(nowMs: number): Promise<void> {
    for await (const bucket of this.#buckets.list(Number.MAX_SAFE_INTEGER)) this.#looksOf(bucket);
    this.#listAtMs = nowMs;
  }

  #looksOf(bucket: number): LookTimes {
    const lookAtMs = this.#looks.get(bucket) ?? new Map();
    this.#looks.set(bucket, lookAtMs);
    return lookAtMs;
  }

  /** At least `limit` changes of the regions, or all that there are. */
  async #lookInto(bucket: number, lookAtMs: LookTimes, regions: string[], limit: number) {
    const { clock, link } = this.#options;
    const ageMs = clock.now() - (bucket + 1) * BUCKET_MS;
    const againAtMs = clock.monotonic() + Math.max(LOOK_AGAIN_MS, ageMs * LOOK_AGAIN_SHARE);
    // Before it is read: a put of this instance takes its region out again meanwhile.
    for (const region of regions) lookAtMs.set(region, againAtMs);
    const found: PendingChange[] = [];
    let after: Attempt | string = ZERO;
    let isEmpty = true;
    for (;;) {
      const { rows } = await link.execute(SOME, [bucket, after, ROWS_AT_ONCE]);
      if (rows.length === 0) break;
      isEmpty = false;
      const wanted: types.Row[] = [];
      for (const row of rows) {
        const region = regionOfTrip(row.trip_id);
        lookAtMs.delete(region);
        if (regions.includes(region)) wanted.push(row);
      }
      const confirmed = await inTurns(wanted, (row) => this.#confirm(row));
      found.push(...wanted.filter((_, i) => confirmed[i]).map(changeOf));
      if (found.length >= limit) {
        // Whose changes lie behind is not known.
        lookAtMs.clear();
        break;
      }
      after = rows.at(-1)!.attempt as Attempt;
    }
    if (isEmpty && ageMs > SETTLED_AFTER_MS) {
      await this.#buckets.remove(bucket);
      this.#looks.delete(bucket);
    }
    return found;
  }

  /** True when the change is stored and not yet published. */
  async #confirm(row: types.Row): Promise<boolean> {
    const { rows, clock, orphanAfterMs, onOrphan } = this.#options;
    const tripId: string = row.trip_id;
    const attempt: Attempt = row.attempt;
    const names = (unpublished: ReadonlyMap<number, Attempt>) =>
      unpublished.get(row.version)?.equals(attempt);
    if (names((await rows.read(tripId)).unpublished)) return true;
    if (clock.now() - beganAtMs(attempt) < orphanAfterMs) return false;
    const state = await rows.fence(tripId);
    if (names(state.unpublished)) return true;
    await onOrphan(changeOf(row), state.trip);
    await this.remove(attempt);
    return false;
  }
}

function bucketOf(attempt: Attempt): number {
  return Math.floor(beganAtMs(attempt) / BUCKET_MS);
}

function changeOf(row: types.Row): PendingChange {
  return {
    trip: storedTrip(row.body),
    previous: row.previous === null ? undefined : storedTrip(row.previous),
  };
}

/** Versions of one trip one after another, also when clocks of those who put them differ. */
function inOrder(changes: readonly PendingChange[]): PendingChange[] {
  const byTrip = Map.groupBy(changes, ({ trip }) => trip.tripId);
  for (const ofTrip of byTrip.values()) ofTrip.sort((a, b) => b.trip.version - a.trip.version);
  return changes.map(({ trip }) => byTrip.get(trip.tripId)!.pop()!);
}
