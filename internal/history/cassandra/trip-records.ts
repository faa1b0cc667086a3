import type { CassandraLink } from "../../cassandra/link.ts";
import type { Clock } from "../../core/time.ts";
import { decodeFinalTrack, encodeFinalTrack } from "../codec.ts";
import type { TripEvent, TripFinal } from "../history.ts";
import { finalVersion } from "../version.ts";
import { ttlS } from "./ttl.ts";

/** Events of one trip in one batch. */
const EVENTS_PER_BATCH = 50;
/** Trips whose events are written at a time. */
const TRIPS_AT_ONCE = 32;

const PUT_FINAL = `INSERT INTO trip_final (trip_id, summary, track) VALUES (?, ?, ?) USING TIMESTAMP ? AND TTL ?`;
const FINAL = "SELECT summary, track FROM trip_final WHERE trip_id = ?";
const PUT_EVENT = "INSERT INTO trip_events (trip_id, at, key, event) VALUES (?, ?, ?, ?) USING TTL ?";
const EVENTS = "SELECT at, key, event FROM trip_events WHERE trip_id = ? LIMIT ?";
const EVENTS_AFTER =
  "SELECT at, key, event FROM trip_events WHERE trip_id = ? AND (at, key) > (?, ?) LIMIT ?";

/** What the history holds of trips: final records and events. */
export class TripRecords {
  readonly #link: CassandraLink;
  readonly #retentionMs: number;
  readonly #clock: Clock;

  constructor(link: CassandraLink, retentionMs: number, clock: Clock) {
    this.#link = link;
    this.#retentionMs = retentionMs;
    this.#clock = clock;
  }

  async putFinal(final: TripFinal): Promise<void> {
    const { tripId, track, ...summary } = final;
    const ttl = this.#ttlS(final.settledAtMs);
    if (ttl <= 0) return;
    const encoded = Buffer.from(encodeFinalTrack(track));
    await this.#link.execute(PUT_FINAL, [tripId, JSON.stringify(summary), encoded, finalVersion(final), ttl]);
  }

  async final(tripId: string): Promise<TripFinal | undefined> {
    const row = (await this.#link.execute(FINAL, [tripId])).first();
    if (!row) return undefined;
    return { tripId, ...JSON.parse(row.summary), track: decodeFinalTrack(row.track) } as TripFinal;
  }

  async putEvents(events: readonly TripEvent[]): Promise<void> {
    const byTrip = [...Map.groupBy(events, ({ tripId }) => tripId).values()];
    for (let at = 0; at < byTrip.length; at += TRIPS_AT_ONCE)
      await allEnded(byTrip.slice(at, at + TRIPS_AT_ONCE).map((ofTrip) => this.#putOfTrip(ofTrip)));
  }

  async #putOfTrip(events: readonly TripEvent[]): Promise<void> {
    for (let at = 0; at < events.length; at += EVENTS_PER_BATCH)
      await this.#putBatch(events.slice(at, at + EVENTS_PER_BATCH));
  }

  async #putBatch(events: readonly TripEvent[]): Promise<void> {
    const statements = events.flatMap(({ tripId, atMs, key, ...rest }) => {
      const ttl = this.#ttlS(atMs);
      return ttl <= 0
        ? []
        : [{ query: PUT_EVENT, params: [tripId, Math.round(atMs), key, JSON.stringify(rest), ttl] }];
    });
    const [first, ...others] = statements;
    if (!first) return;
    if (others.length === 0) await this.#link.execute(first.query, first.params);
    else await this.#link.batch(statements);
  }

  async events(tripId: string, limit: number, after?: { atMs: number; key: string }): Promise<TripEvent[]> {
    const fetchSize = limit;
    const { rows } = after
      ? await this.#link.execute(EVENTS_AFTER, [tripId, after.atMs, after.key, limit], { fetchSize })
      : await this.#link.execute(EVENTS, [tripId, limit], { fetchSize });
    return rows.map(
      ({ at, key, event }) =>
        ({ tripId, atMs: (at as Date).getTime(), key, ...JSON.parse(event) }) as TripEvent,
    );
  }

  #ttlS(atMs: number): number {
    return ttlS(atMs, this.#clock.now(), this.#retentionMs);
  }
}

/** Rejects with the first failure, but not before all have ended. */
async function allEnded(writes: readonly Promise<void>[]): Promise<void> {
  for (const end of await Promise.allSettled(writes)) if (end.status === "rejected") throw end.reason;
}
