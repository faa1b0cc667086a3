import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { Answer } from "../../sqlite/serve.ts";
import type { IdempotencyClaim, PutResult, TripFilter } from "../trips.ts";

/** A trip on its way between the threads: what the columns need, and the whole as JSON. */
export type TripRow = {
  tripId: string;
  version: number;
  driverId: string;
  running: boolean;
  createdAtMs: number;
  riderIds: string[];
  body: string;
};
export type PutQuery = { row: TripRow; claim: IdempotencyClaim | undefined };
export type ListQuery = { filter: TripFilter; limit: number; after: string };
export type PendingQuery = { regions: readonly string[]; limit: number };
export type PendingRow = { body: string; previous: string | null };

/** Claims are remembered for so long; each new one clears away a few that are older. */
const CLAIM_KEPT_MS = 48 * 3_600_000;
const CLAIMS_CLEARED = 10;

/** The operations of the trips store on its database, run in the worker. */
export class TripOperations {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  put({ row, claim }: PutQuery): Answer<PutResult> {
    if (claim) {
      const taken = this.#get("SELECT trip_id, digest FROM claims WHERE key = ?", claim.key);
      if (taken)
        return refused("idempotency", { tripId: String(taken.trip_id), digest: String(taken.digest) });
    }
    const stored = this.#get("SELECT version, body FROM trips WHERE trip_id = ?", row.tripId);
    if (Number(stored?.version ?? 0) !== row.version - 1)
      return { value: { stored: false, reason: "version" } };
    if (row.running && row.driverId && this.#otherTripOf(row))
      return { value: { stored: false, reason: "driverBusy" } };
    this.#store(row, stored ? String(stored.body) : null);
    if (claim) this.#claim(claim, row.tripId);
    return { value: { stored: true } };
  }

  published({ tripId, version }: { tripId: string; version: number }): Answer<undefined> {
    this.#run("DELETE FROM outbox WHERE trip_id = ? AND version = ?", tripId, version);
    return { value: undefined };
  }

  get(tripId: string): Answer<string | undefined> {
    return { value: bodyOf(this.#get("SELECT body FROM trips WHERE trip_id = ?", tripId)) };
  }

  runningOf(driverId: string): Answer<string | undefined> {
    const sql = "SELECT body FROM trips WHERE driver_id = ? AND driver_id <> '' AND running = 1";
    return { value: bodyOf(this.#get(sql, driverId)) };
  }

  pending({ regions, limit }: PendingQuery): Answer<PendingRow[]> {
    const region = "substr(trip_id, 1, instr(trip_id, '-') - 1)";
    const asked = "SELECT value FROM json_each(?)";
    const sql = `SELECT body, previous FROM outbox WHERE ${region} IN (${asked}) ORDER BY id LIMIT ?`;
    const rows = this.#all(sql, JSON.stringify(regions), limit);
    return {
      value: rows.map((row) => ({
        body: String(row.body),
        previous: row.previous === null ? null : String(row.previous),
      })),
    };
  }

  list({ filter, limit, after }: ListQuery): Answer<string[]> {
    const conditions: string[] = [];
    const values: SQLInputValue[] = [];
    const where = (condition: string, ...given: SQLInputValue[]) => {
      conditions.push(condition);
      values.push(...given);
    };
    if (filter.riderId !== undefined) where("r.rider_id = ?", filter.riderId);
    if (filter.driverId !== undefined) where("t.driver_id = ?", filter.driverId);
    if (filter.runningOnly) where("t.running = 1");
    const ordered = filter.riderId === undefined ? "t" : "r";
    if (after)
      where(
        `(${ordered}.created_at_ms, ${ordered}.trip_id) < ((SELECT created_at_ms FROM trips WHERE trip_id = ?), ?)`,
        after,
        after,
      );
    const from =
      filter.riderId === undefined ? "trips t" : "trip_riders r JOIN trips t ON t.trip_id = r.trip_id";
    const condition = conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : "";
    const order = `ORDER BY ${ordered}.created_at_ms DESC, ${ordered}.trip_id DESC`;
    const rows = this.#all(`SELECT t.body FROM ${from} ${condition} ${order} LIMIT ?`, ...values, limit);
    return { value: rows.map((row) => String(row.body)) };
  }

  #otherTripOf(row: TripRow): boolean {
    const sql =
      "SELECT 1 FROM trips WHERE driver_id = ? AND driver_id <> '' AND running = 1 AND trip_id <> ?";
    return this.#get(sql, row.driverId, row.tripId) !== undefined;
  }

  #store(row: TripRow, previous: string | null): void {
    this.#run(
      "INSERT OR REPLACE INTO trips (trip_id, version, driver_id, running, created_at_ms, body) VALUES (?, ?, ?, ?, ?, ?)",
      row.tripId,
      row.version,
      row.driverId,
      row.running ? 1 : 0,
      row.createdAtMs,
      row.body,
    );
    this.#run("DELETE FROM trip_riders WHERE trip_id = ?", row.tripId);
    for (const riderId of row.riderIds)
      this.#run(
        "INSERT OR IGNORE INTO trip_riders (rider_id, created_at_ms, trip_id) VALUES (?, ?, ?)",
        riderId,
        row.createdAtMs,
        row.tripId,
      );
    this.#run(
      "INSERT INTO outbox (trip_id, version, body, previous) VALUES (?, ?, ?, ?)",
      row.tripId,
      row.version,
      row.body,
      previous,
    );
  }

  #claim(claim: IdempotencyClaim, tripId: string): void {
    this.#run(
      "DELETE FROM claims WHERE key IN (SELECT key FROM claims WHERE claimed_at_ms < ? ORDER BY claimed_at_ms LIMIT ?)",
      claim.nowMs - CLAIM_KEPT_MS,
      CLAIMS_CLEARED,
    );
    this.#run(
      "INSERT INTO claims (key, digest, trip_id, claimed_at_ms) VALUES (?, ?, ?, ?)",
      claim.key,
      claim.digest,
      tripId,
      claim.nowMs,
    );
  }

  #get(sql: string, ...values: SQLInputValue[]) {
    return this.#prepared(sql).get(...values);
  }

  #all(sql: string, ...values: SQLInputValue[]) {
    return this.#prepared(sql).all(...values);
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#prepared(sql).run(...values);
  }

  /** Each text is prepared once; there are about twenty of them. */
  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function bodyOf(row: Record<string, unknown> | undefined): string | undefined {
  return row === undefined ? undefined : String(row.body);
}

function refused(reason: "idempotency", claim: { tripId: string; digest: string }): Answer<PutResult> {
  return { value: { stored: false, reason, ...claim } };
}
