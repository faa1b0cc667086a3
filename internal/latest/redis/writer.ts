import type { PackedLive } from "../../core/packed-live.ts";
import type { Clock } from "../../core/time.ts";
import type { Trip } from "../../core/trip.ts";
import { isOlder } from "../is-older.ts";
import type { LatestFlush, LatestParty } from "../latest.ts";
import { type ShardKeys, shardOfParty, shardOfTrip } from "./keys.ts";
import type { Marks } from "./marks.ts";
import { encodeUpdates, roomFor } from "./party-record.ts";
import type { Scripts } from "./scripts.ts";
import { encodeLive, encodeTrip } from "./trip-record.ts";

/** Updates in one call of a script: Redis serves nobody else meanwhile, about a millisecond. */
const PARTIES_PER_CALL = 200;
/** The same for trips, which are larger. */
const TRIPS_PER_CALL = 50;
/** Calls of one flush that wait for their answers at a time. */
const CALLS_AT_ONCE = 4;
const NOTHING = Buffer.alloc(0);
/** Buffers kept for the next calls. */
const MAX_SPARE_ROOMS = 16;

/** What a flush has for one shard. */
type Part = { shard: number; parties: LatestParty[]; removed: string[]; trips: EncodedTrip[] };
/** A trip as it was when the flush was given. */
type EncodedTrip = PackedLive["live"] & { bytes: Buffer };
/** Answers how many updates were refused. */
type Call = () => Promise<number>;

export type WriterOptions = {
  shards: readonly ShardKeys[];
  scripts: Scripts;
  marks: Marks;
  clock: Clock;
  /** Expiry of all keys. */
  ttlMs: number;
  /** The expiry of a cell's key is renewed by a party that stays in it at least this often. */
  renewMs: number;
  /** How long a removal counts. */
  tombstoneMs: number;
};

/** Writes flushes: calls of up to 200 updates, each within one shard and with the partition's fence there. */
export class Writer {
  readonly #options: WriterOptions;
  /** Trips that Redis has but for their live state; where it has lost them it says so. */
  readonly #storedTrips = new WeakSet<Trip>();
  /** To encode into: a new one for each call would keep the garbage collector busy. */
  readonly #spareRooms: Buffer[] = [];

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Answers how many updates were refused. */
  async write(flush: LatestFlush): Promise<number> {
    const home = flush.partition % this.#options.shards.length;
    const parts = this.#split(flush);
    // A shard knows the epochs of those who wrote to it, so the partition's own one is asked before others.
    const isHomeOnly = parts.every(({ shard }) => shard === home);
    if (!isHomeOnly && (await this.#putParties(flush, home, [], [])))
      return flush.parties.length + flush.trips.length + flush.removed.length;
    return inTurn(parts.flatMap((part) => this.#callsOf(flush, part)));
  }

  #split({ parties, removed, trips }: LatestFlush): Part[] {
    const { length } = this.#options.shards;
    const encoded = trips.map((packed) => ({ ...packed.live, bytes: encodeLive(packed) }));
    if (length === 1) return [{ shard: 0, parties, removed, trips: encoded }];
    const parts = new Map<number, Part>();
    const at = (shard: number) => {
      const part = parts.get(shard) ?? { shard, parties: [], removed: [], trips: [] };
      parts.set(shard, part);
      return part;
    };
    for (const party of parties) at(shardOfParty(party.partyKey, length)).parties.push(party);
    for (const partyKey of removed) at(shardOfParty(partyKey, length)).removed.push(partyKey);
    for (const trip of encoded) at(shardOfTrip(trip.tripId, length)).trips.push(trip);
    return [...parts.values()];
  }

  #callsOf(flush: LatestFlush, { shard, parties, removed, trips }: Part): Call[] {
    const newest = newestOfEach(parties);
    const put = async (some: LatestParty[], gone: string[], count: number) =>
      (await this.#putParties(flush, shard, some, gone)) ? count : 0;
    return [
      ...slices(newest, PARTIES_PER_CALL).map((some, i) => {
        const superseded = i === 0 ? parties.length - newest.length : 0;
        return () => put(some, [], some.length + superseded);
      }),
      ...slices(removed, PARTIES_PER_CALL).map((gone) => () => put([], gone, gone.length)),
      ...slices(trips, TRIPS_PER_CALL).map((some) => () => this.#putTrips(flush, shard, some)),
    ];
  }

  /** True when it was refused. */
  async #putParties(
    { partition, partitionEpoch }: LatestFlush,
    shard: number,
    parties: readonly LatestParty[],
    removed: readonly string[],
  ): Promise<boolean> {
    const { scripts, marks, clock, ttlMs, tombstoneMs, renewMs } = this.#options;
    const keys = this.#options.shards[shard]!;
    const room = this.#spareRooms.pop() ?? roomFor(PARTIES_PER_CALL);
    const update = (number: number) =>
      scripts.updateParties(
        [keys.fences, keys.parties, keys.seen, keys.cells, keys.gone, keys.mark],
        [
          ...[
            keys.cellPrefix,
            partition,
            partitionEpoch,
            ttlMs,
            Math.floor(clock.now()),
            number,
            tombstoneMs,
          ],
          ...[renewMs, encodeUpdates(parties, room), ...removed],
        ],
      ) as Promise<[refused: number, before: Buffer | null]>;
    const [refused] = await marks.write(shard, update, ([, before]) => before);
    // Only now: after a failure the client may still hold it, and send it again elsewhere.
    if (this.#spareRooms.length < MAX_SPARE_ROOMS) this.#spareRooms.push(room);
    return refused === 1;
  }

  /** Answers how many were refused. */
  async #putTrips(flush: LatestFlush, shard: number, trips: readonly EncodedTrip[]): Promise<number> {
    const needed = await this.#callTrips(flush, shard, trips, ({ trip }) => !this.#storedTrips.has(trip));
    if (needed === "refused") return trips.length;
    if (needed.length === 0) return 0;
    const again = needed.map((i) => trips[i - 1]!);
    return (await this.#callTrips(flush, shard, again, () => true)) === "refused" ? again.length : 0;
  }

  /**
   * @param isWhole whether the trip itself goes along
   * @returns the numbers from 1 of those of which Redis needs it
   */
  async #callTrips(
    { partition, partitionEpoch }: LatestFlush,
    shard: number,
    trips: readonly EncodedTrip[],
    isWhole: (live: EncodedTrip) => boolean,
  ): Promise<number[] | "refused"> {
    const { shards, scripts, marks, clock, ttlMs } = this.#options;
    const { fences, drops, mark, tripPrefix } = shards[shard]!;
    const args: (string | number | Buffer)[] = [];
    for (const live of trips) {
      const { generation, sequence, index } = live.version;
      args.push(live.tripId, generation, sequence, index, live.trip.version, Math.ceil(live.dropAtMs));
      args.push(live.bytes, isWhole(live) ? encodeTrip(live.trip) : NOTHING);
    }
    const keys = [fences, drops, mark, ...trips.map(({ tripId }) => tripPrefix + tripId)];
    const update = (number: number) =>
      scripts.updateTrips(keys, [
        ...[partition, partitionEpoch, ttlMs, Math.floor(clock.now()), number],
        ...args,
      ]) as Promise<[refused: number, before: Buffer | null, needed: number[]]>;
    const [refused, , needed] = await marks.write(shard, update, ([, before]) => before);
    if (refused === 1) return "refused";
    for (const { trip } of trips) this.#storedTrips.add(trip);
    return needed;
  }
}

/** The newest update of each party. */
function newestOfEach(parties: readonly LatestParty[]): readonly LatestParty[] {
  const newest = new Map<string, LatestParty>();
  for (const party of parties) {
    const known = newest.get(party.partyKey);
    if (!known || !isOlder(party, known)) newest.set(party.partyKey, party);
  }
  return newest.size === parties.length ? parties : [...newest.values()];
}

function slices<Item>(items: readonly Item[], length: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / length) }, (_, i) =>
    items.slice(i * length, (i + 1) * length),
  );
}

/** Makes the calls in their order, some at a time, and adds up what they answer. The first failure ends it. */
async function inTurn(calls: readonly Call[]): Promise<number> {
  let next = 0;
  let refused = 0;
  const drain = async () => {
    while (next < calls.length) {
      const call = calls[next++]!;
      try {
        const count = await call();
        refused += count;
      } catch (error) {
        next = calls.length;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(CALLS_AT_ONCE, calls.length) }, drain));
  return refused;
}
