import type { types } from "cassandra-driver";
import type { CassandraLink } from "../../cassandra/link.ts";
import { BimrideError } from "../../core/errors.ts";
import { type Clock, sleep } from "../../core/time.ts";
import { type Attempt, beganAtMs } from "./attempt.ts";
import type { TripRows, TripState } from "./trip-rows.ts";

/** A row that says for which trip a name is taken. Nobody may rely on it alone: the trip's own row decides. */
export type Hold = { tripId: string; attempt: Attempt; digest: string };

/** The statements on one table of holds. */
type Table = { read: string; insert: string; restamp: string; remove: string };

/** Drivers by id, each for the one trip that may run with them. */
export const DRIVERS: Table = {
  read: "SELECT trip_id, attempt FROM trip_of_driver WHERE name = ?",
  insert: "INSERT INTO trip_of_driver (trip_id, attempt, name) VALUES (?, ?, ?) IF NOT EXISTS",
  restamp: `UPDATE trip_of_driver SET trip_id = ?, attempt = ? WHERE name = ?
    IF trip_id = ? AND attempt = ?`,
  remove: "DELETE FROM trip_of_driver WHERE name = ? IF trip_id = ? AND attempt = ?",
};
/** Idempotency keys, each for the trip that was created under it. */
export const KEYS: Table = {
  read: "SELECT trip_id, attempt, digest FROM trip_of_key WHERE name = ?",
  insert: "INSERT INTO trip_of_key (trip_id, attempt, digest, name) VALUES (?, ?, ?, ?) IF NOT EXISTS",
  restamp: `UPDATE trip_of_key SET trip_id = ?, attempt = ?, digest = ? WHERE name = ?
    IF trip_id = ? AND attempt = ?`,
  remove: "DELETE FROM trip_of_key WHERE name = ? IF trip_id = ? AND attempt = ?",
};

/** True when the trip as it is stored makes the hold good. */
export type Stands = (name: string, state: TripState) => boolean;

export type HoldsOptions = {
  link: CassandraLink;
  rows: TripRows;
  clock: Clock;
  table: Table;
  stands: Stands;
  /** How long a hold that its trip does not make good is left to the put that may be about to store the trip. */
  graceMs: number;
};

const FIRST_WAIT_MS = 10;
const LONGEST_WAIT_MS = 200;
/** Times that somebody else may be faster; then STORE_UNAVAILABLE. */
const MAX_TRIES = 32;
/** Stamps without an answer. */
const MAX_LOST = 3;

/**
 * Names that one trip at a time may have. A put stamps the name before it stores the trip; a hold is good only with a trip
 * that stands for it. What a put that died left is taken over: its trip is fenced first, so that the put can't be carried
 * out late, and then nothing has come of it or the hold is good. A removal names the stamp that was there before the
 * look at the trip; a put that stamps anew after that keeps the hold.
 */
export class Holds {
  readonly #options: HoldsOptions;

  constructor(options: HoldsOptions) {
    this.#options = options;
  }

  async read(name: string): Promise<Hold | undefined> {
    const { link, table } = this.#options;
    return holdOf((await link.execute(table.read, [name], { serial: true })).first());
  }

  /** The hold of the name if its trip makes it good. */
  async good(name: string): Promise<Hold | undefined> {
    const hold = await this.read(name);
    return hold && (await this.#isGood(name, hold)) ? hold : undefined;
  }

  /** Takes the name for the trip; resolves to the hold of another trip when that is good. */
  async take(name: string, wanted: Hold): Promise<Hold | undefined> {
    const { rows } = this.#options;
    const wait = new Wait(this.#options);
    let lost = 0;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const hold = await this.read(name);
      if (hold?.attempt.equals(wanted.attempt)) return undefined;
      if (hold && hold.tripId !== wanted.tripId) {
        if (await this.#isGood(name, hold)) return hold;
        if (await wait.forPutOf(hold)) {
          tries--; // bounded by the wait
          continue;
        }
        if (this.#options.stands(name, await rows.fence(hold.tripId))) return hold;
      }
      try {
        if (await this.#stamp(name, wanted, hold)) return undefined;
      } catch (error) {
        if (++lost === MAX_LOST) throw error; // else the next look tells what came of it
      }
    }
    throw new BimrideError("STORE_UNAVAILABLE", "Too many want the same driver or key.");
  }

  /** Gives back what a put took whose trip was not stored. Others' stamps, and holds that are good, stay. */
  async release(name: string, { tripId, attempt }: Pick<Hold, "tripId" | "attempt">): Promise<void> {
    const hold = await this.read(name);
    if (hold?.attempt.equals(attempt)) await this.settle(name, tripId, hold);
  }

  /** Removes the trip's hold unless it is good. @param seen the hold as it was read before */
  async settle(name: string, tripId: string, seen?: Hold): Promise<void> {
    const hold = seen ?? (await this.read(name));
    if (hold?.tripId !== tripId) return;
    if (!this.#options.stands(name, await this.#options.rows.fence(tripId))) await this.remove(name, hold);
  }

  /** Removes the hold if it was not stamped anew. Only for a trip that was seen not to stand after the hold was read. */
  async remove(name: string, hold: Hold): Promise<void> {
    const { link, table } = this.#options;
    await link.execute(table.remove, [name, hold.tripId, hold.attempt], { idempotent: false });
  }

  async #isGood(name: string, hold: Hold): Promise<boolean> {
    const { stands, rows } = this.#options;
    return stands(name, await rows.read(hold.tripId, true));
  }

  /** Whether the name has the wanted stamp now. */
  async #stamp(name: string, wanted: Hold, before: Hold | undefined): Promise<boolean> {
    const { link, table } = this.#options;
    const digest = table === KEYS ? [wanted.digest] : [];
    const set = [wanted.tripId, wanted.attempt, ...digest, name];
    const result = before
      ? await link.execute(table.restamp, [...set, before.tripId, before.attempt], { idempotent: false })
      : await link.execute(table.insert, set, { idempotent: false });
    return result.wasApplied();
  }
}

/** Patience with the put that a hold speaks of. */
class Wait {
  readonly #clock: Clock;
  readonly #graceMs: number;
  #attempt: Attempt | undefined;
  #sinceMs = 0;
  #waitMs = FIRST_WAIT_MS;
  readonly #untilMs: number;

  constructor({ clock, graceMs }: HoldsOptions) {
    this.#clock = clock;
    this.#graceMs = graceMs;
    this.#untilMs = clock.monotonic() + 4 * graceMs;
  }

  /** Resolves to true after a moment, or to false when that put has had its time. */
  async forPutOf({ attempt }: Hold): Promise<boolean> {
    const nowMs = this.#clock.monotonic();
    if (!this.#attempt?.equals(attempt)) {
      this.#attempt = attempt;
      this.#sinceMs = nowMs;
      this.#waitMs = FIRST_WAIT_MS;
    }
    const isOld = this.#clock.now() - beganAtMs(attempt) > 10 * this.#graceMs;
    if (isOld || nowMs - this.#sinceMs >= this.#graceMs || nowMs >= this.#untilMs) return false;
    await sleep(this.#clock, this.#waitMs);
    this.#waitMs = Math.min(LONGEST_WAIT_MS, 2 * this.#waitMs);
    return true;
  }
}

function holdOf(row: types.Row | undefined): Hold | undefined {
  return row && { tripId: row.trip_id, attempt: row.attempt, digest: row.digest ?? "" };
}
