import type { types } from "cassandra-driver";
import type { CassandraLink } from "../../cassandra/link.ts";
import { BimrideError } from "../../core/errors.ts";
import { isRunning, type Trip } from "../../core/trip.ts";
import { storedTrip } from "../stored-trip.ts";
import type { Attempt } from "./attempt.ts";
import { ttlS } from "./ttl.ts";

/** What is stored of a trip. `version` 0: there is no such trip. */
export type TripState = {
  version: number;
  trip: Trip | undefined;
  /** Which put stored the version. */
  attempt: Attempt | undefined;
  /** A put that read another number can't be carried out any more. */
  fence: number | null;
  /** Which put stored each version that is not in the log yet. */
  unpublished: ReadonlyMap<number, Attempt>;
};
/** What became of a commit: done, lost to another put of the version, or told to start anew by a fence. */
export type Commit = "stored" | "version" | "fenced";

const READ = "SELECT version, body, attempt, fence, unpublished FROM trips WHERE trip_id = ?";
const COMMIT = `UPDATE trips USING TTL ? SET version = ?, body = ?, attempt = ?, fence = ?
  WHERE trip_id = ? IF version = ? AND fence = ?`;
// Without TTL: what is not in the log must not be forgotten.
const NOTE = "UPDATE trips SET unpublished[?] = ? WHERE trip_id = ?";
const FENCE = "UPDATE trips USING TTL ? SET fence = ? WHERE trip_id = ? IF fence = ?";
const UNLIST = "DELETE unpublished[?] FROM trips WHERE trip_id = ? IF EXISTS";

/** How long puts of a trip that was never stored are kept from being carried out late. */
const FENCE_OF_NOTHING_S = 86_400;
/** Sendings of a commit that gets no answer. */
const MAX_SENDINGS = 3;
const MAX_FENCE_TRIES = 8;

/** The trips' own rows: where a put takes effect, in one conditional statement on one partition. */
export class TripRows {
  readonly #link: CassandraLink;
  readonly #endedTtlS: number;

  /** @param retentionMs how long trips are kept from the put that ended them */
  constructor(link: CassandraLink, retentionMs: number) {
    this.#link = link;
    this.#endedTtlS = ttlS(retentionMs);
  }

  /** @param serial also what is being decided at this moment; else what was answered so far */
  async read(tripId: string, serial = false): Promise<TripState> {
    return stateOf((await this.#link.execute(READ, [tripId], { serial })).first());
  }

  /**
   * Stores the trip as what follows on `before`. Rejects with STORE_UNAVAILABLE when it can't be known whether it did;
   * the row tells later, by the attempt.
   */
  async commit(trip: Trip, attempt: Attempt, before: TripState): Promise<Commit> {
    const { tripId, version } = trip;
    const ttl = isRunning(trip) ? 0 : this.#endedTtlS;
    const { fence } = before;
    const set = [ttl, version, JSON.stringify(trip), attempt, fence ?? 0];
    const statements = [
      { query: COMMIT, params: [...set, tripId, before.version || null, fence] },
      { query: NOTE, params: [version, attempt, tripId] },
    ];
    let unknown: unknown;
    for (let sending = 0; sending < MAX_SENDINGS; sending++) {
      try {
        const result = await this.#link.batch(statements, { idempotent: false });
        if (result.wasApplied()) return "stored";
      } catch (error) {
        unknown ??= error;
      }
      const now = await this.read(tripId, true);
      const found = judge(now, version, attempt, fence);
      if (found === "other" && unknown === undefined) return "version";
      if (found === "other") throw unknown;
      if (found !== undefined) return found;
    }
    throw unknown ?? new BimrideError("STORE_UNAVAILABLE");
  }

  /**
   * Sees to it that no put of the trip that is under way can be carried out any more without starting anew, and gives
   * what is stored then. Nothing else changes.
   */
  async fence(tripId: string): Promise<TripState> {
    for (let tries = 0; tries < MAX_FENCE_TRIES; tries++) {
      const { trip, fence } = await this.read(tripId, true);
      const ttl = !trip ? FENCE_OF_NOTHING_S : isRunning(trip) ? 0 : this.#endedTtlS;
      const raised = (fence ?? 0) + 1;
      // What follows reads what came of it; so it does not matter when its own answer got lost.
      await this.#link.execute(FENCE, [ttl, raised, tripId, fence], { idempotent: false }).catch(ifLost);
      const after = await this.read(tripId, true);
      if ((after.fence ?? 0) >= raised) return after;
    }
    throw new BimrideError("STORE_UNAVAILABLE");
  }

  /** The version is in the log. */
  async unlist(tripId: string, version: number): Promise<void> {
    await this.#link.execute(UNLIST, [version, tripId]);
  }
}

/** What a look at the row says of the put; undefined: nothing yet. "other": another put stored this or a later version. */
function judge(
  now: TripState,
  version: number,
  attempt: Attempt,
  fence: number | null,
): Commit | "other" | undefined {
  const winner = now.unpublished.get(version) ?? (now.version === version ? now.attempt : undefined);
  if (winner?.equals(attempt)) return "stored";
  if (winner) return "version";
  if (now.version !== version - 1) return "other";
  return now.fence === fence ? undefined : "fenced";
}

function stateOf(row: types.Row | undefined): TripState {
  const version = row?.version ?? 0;
  return {
    version,
    trip: version === 0 ? undefined : storedTrip(row!.body),
    attempt: row?.attempt ?? undefined,
    fence: row?.fence ?? null,
    unpublished: new Map(
      Object.entries((row?.unpublished ?? {}) as Record<string, Attempt>).map(([key, value]) => [
        Number(key),
        value,
      ]),
    ),
  };
}

function ifLost(error: unknown): void {
  if (!(error instanceof BimrideError && error.code === "STORE_UNAVAILABLE")) throw error;
}
