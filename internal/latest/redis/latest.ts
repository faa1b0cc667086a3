import { randomUUID } from "node:crypto";
import type { Rect } from "../../core/geo.ts";
import type { Limits } from "../../core/limits.ts";
import type { TripLive } from "../../core/live.ts";
import type { Clock } from "../../core/time.ts";
import { accessProblem } from "../../redis/failures.ts";
import type { RedisLink } from "../../redis/link.ts";
import type { Latest, LatestFlush, LatestParty } from "../latest.ts";
import { type ShardKeys, shardKeys, shardOfParty, shardOfTrip } from "./keys.ts";
import { Marks } from "./marks.ts";
import { decodeParty } from "./party-record.ts";
import { loadScripts, type Scripts } from "./scripts.ts";
import { type Neighbour, nearestOf, ShardSearch } from "./search.ts";
import { decodeTripLive } from "./trip-record.ts";
import { Writer } from "./writer.ts";

/** What is no newer than a removed party is refused for so long after its removal. */
const TOMBSTONE_MS = 60_000;
/** A cell's expiry is renewed this often by those who stay in it. */
const RENEW_MS = 3_600_000;
/** Keys outlive what the sweeper leaves by so much: more than what passes between two renewals. */
const SWEEP_MARGIN_MS = 2 * RENEW_MS;
/** Things looked at in one call of the sweeping script. */
const SWEPT_PER_CALL = 500;

export type RedisLatestOptions = {
  /** Belongs to the caller, who disposes it after this. */
  link: RedisLink;
  region: string;
  limits: Pick<Limits, "partitions" | "partyIdleMs">;
  clock: Clock;
  /** Names this process among all that write; random by default. */
  writer?: string;
};

/**
 * The latest state of a region in Redis, or in a Redis Cluster. A cache: what Redis loses is noticed and told to
 * {@link Latest.onLost}. Every key has an expiry. Rejects with an EngineError when we may not do there what is needed.
 */
export async function openRedisLatest(options: RedisLatestOptions): Promise<Latest> {
  const scripts = await loadScripts(options.link);
  const latest = new RedisLatest(options, scripts);
  try {
    await latest.probe();
  } catch (error) {
    await latest[Symbol.asyncDispose]();
    throw accessProblem(options.link.address, error);
  }
  return latest;
}

class RedisLatest implements Latest {
  readonly #link: RedisLink;
  readonly #clock: Clock;
  readonly #scripts: Scripts;
  readonly #shards: readonly ShardKeys[];
  readonly #ttlMs: number;
  readonly #searches: readonly ShardSearch[];
  readonly #marks: Marks;
  readonly #writer: Writer;

  constructor(options: RedisLatestOptions, scripts: Scripts) {
    const { link, region, limits, clock, writer = randomUUID() } = options;
    this.#link = link;
    this.#clock = clock;
    this.#scripts = scripts;
    const ttlMs = limits.partyIdleMs + SWEEP_MARGIN_MS;
    const count = link.cluster ? limits.partitions : 1;
    const shards = Array.from({ length: count }, (_, shard) => shardKeys(region, shard, writer));
    const marks = new Marks(link, shards, ttlMs, clock);
    this.#shards = shards;
    this.#ttlMs = ttlMs;
    this.#searches = shards.map((keys) => new ShardSearch(link, keys, scripts));
    this.#marks = marks;
    const ages = { ttlMs, renewMs: RENEW_MS, tombstoneMs: TOMBSTONE_MS };
    this.#writer = new Writer({ shards, scripts, marks, clock, ...ages });
  }

  /** Rejects unless scripts and writes are allowed here. Shards that are empty know since when from now on. */
  async probe(): Promise<void> {
    await this.#link.command("SET", this.#shards[0]!.mark, 0, "PX", 1_000);
    await Promise.all(this.#shards.map((keys) => this.#intactSince(keys)));
    await this.sweep(0, 0);
  }

  async update(flush: LatestFlush): Promise<{ refused: number }> {
    return { refused: await this.#writer.write(flush) };
  }

  async party(partyKey: string): Promise<LatestParty | undefined> {
    const { parties } = this.#shards[shardOfParty(partyKey, this.#shards.length)]!;
    const record = (await this.#link.command("HGET", parties, partyKey)) as Buffer | null;
    return record ? decodeParty(record) : undefined;
  }

  async trip(tripId: string): Promise<TripLive | undefined> {
    const { tripPrefix } = this.#shards[shardOfTrip(tripId, this.#shards.length)]!;
    const parts = await this.#link.command("HMGET", tripPrefix + tripId, "live", "trip");
    const [live, trip] = parts as (Buffer | null)[];
    if (!live || !trip) return undefined;
    const found = decodeTripLive(live, trip);
    return found.dropAtMs > 0 && found.dropAtMs <= this.#clock.now() ? undefined : found;
  }

  async intactSince(tripId: string): Promise<number> {
    const sinceMs = await this.#intactSince(this.#shards[shardOfTrip(tripId, this.#shards.length)]!);
    return this.#clock.now() - sinceMs > this.#ttlMs ? 0 : sinceMs;
  }

  async within(rect: Rect, limit: number): Promise<{ parties: LatestParty[]; truncated: boolean }> {
    const found = await Promise.all(this.#searches.map((shard) => shard.within(rect, limit + 1)));
    const parties = found.flat();
    return { parties: parties.slice(0, limit), truncated: parties.length > limit };
  }

  async nearby(latDeg: number, lonDeg: number, radiusM: number, limit: number): Promise<Neighbour[]> {
    if (limit <= 0) return [];
    const found = await Promise.all(
      this.#searches.map((shard) => shard.nearby(latDeg, lonDeg, radiusM, limit)),
    );
    return found.length === 1 ? found[0]! : nearestOf(found.flat(), limit);
  }

  async sweep(beforeMs: number, nowMs: number): Promise<{ parties: number; trips: number }> {
    const swept = { parties: 0, trips: 0 };
    for (const keys of this.#shards) {
      // Or it would be forgotten where nothing is written for as long as keys live, and that looks like a loss.
      await this.#intactSince(keys);
      for (let isMore = true; isMore; ) {
        const answer = await this.#scripts.sweep(
          [keys.parties, keys.seen, keys.cells, keys.gone, keys.drops],
          [keys.cellPrefix, keys.tripPrefix, beforeMs, nowMs, nowMs - TOMBSTONE_MS, SWEPT_PER_CALL],
        );
        const [parties, trips, more] = answer as [number, number, 0 | 1];
        swept.parties += parties;
        swept.trips += trips;
        isMore = more === 1;
      }
    }
    return swept;
  }

  async #intactSince({ fences }: ShardKeys): Promise<number> {
    return Number(await this.#scripts.intactSince([fences], [Math.floor(this.#clock.now()), this.#ttlMs]));
  }

  onLost(listener: () => void): () => void {
    return this.#marks.onLost(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#marks[Symbol.dispose]();
  }
}
