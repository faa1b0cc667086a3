import type { Rect } from "../../core/geo.ts";
import type { TripLive } from "../../core/live.ts";
import { unpackLive } from "../../core/packed-live.ts";
import type { Clock } from "../../core/time.ts";
import { compareVersions } from "../../core/version.ts";
import { isOlder, type UpdateOrder } from "../is-older.ts";
import type { Latest, LatestFlush, LatestParty } from "../latest.ts";
import { type Neighbour, PartyGrid } from "./party-grid.ts";

/** What is no newer than a removed party is refused for so long after its removal. */
const TOMBSTONE_MS = 60_000;

/**
 * The latest state in the memory of one process; a restart loses it and the log rebuilds it. Holds what it is given
 * without copying it. Bounded by `sweep`: the parties heard of since, the trips whose live access is not over.
 */
export class MemoryLatest implements Latest {
  readonly #clock: Clock;
  readonly #openedAtMs: number;
  readonly #grid = new PartyGrid();
  readonly #trips = new Map<string, TripLive>();
  readonly #epochs = new Map<number, number>();
  /** Removed parties, until a sweep after their time. */
  readonly #removed = new Map<string, UpdateOrder & { atMs: number }>();

  /** @param clock tells when a trip's live access is over, between two sweeps */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#openedAtMs = Math.floor(clock.now());
  }

  async update(flush: LatestFlush): Promise<{ refused: number }> {
    const newest = this.#epochs.get(flush.partition) ?? 0;
    if (flush.partitionEpoch < newest)
      return { refused: flush.parties.length + flush.trips.length + flush.removed.length };
    this.#epochs.set(flush.partition, flush.partitionEpoch);
    for (const party of flush.parties) this.#put(party);
    for (const packed of flush.trips) {
      const { tripId, version } = packed.live;
      const stored = this.#trips.get(tripId);
      if (!stored || compareVersions(version, stored.version) > 0)
        this.#trips.set(tripId, unpackLive(packed));
    }
    for (const partyKey of flush.removed) this.#remove(partyKey);
    return { refused: 0 };
  }

  async party(partyKey: string): Promise<LatestParty | undefined> {
    return this.#grid.get(partyKey);
  }

  async trip(tripId: string): Promise<TripLive | undefined> {
    const live = this.#trips.get(tripId);
    return live && isOver(live, this.#clock.now()) ? undefined : live;
  }

  async intactSince(): Promise<number> {
    return this.#openedAtMs;
  }

  async within(rect: Rect, limit: number): Promise<{ parties: LatestParty[]; truncated: boolean }> {
    return this.#grid.within(rect, limit);
  }

  async nearby(latDeg: number, lonDeg: number, radiusM: number, limit: number): Promise<Neighbour[]> {
    return limit > 0 ? this.#grid.nearby(latDeg, lonDeg, radiusM, limit) : [];
  }

  async sweep(beforeMs: number, nowMs: number): Promise<{ parties: number; trips: number }> {
    let trips = 0;
    for (const [tripId, live] of this.#trips) if (isOver(live, nowMs) && this.#trips.delete(tripId)) trips++;
    for (const [partyKey, { atMs }] of this.#removed)
      if (atMs <= nowMs - TOMBSTONE_MS) this.#removed.delete(partyKey);
    return { parties: this.#grid.deleteBefore(beforeMs), trips };
  }

  onLost(): () => void {
    return () => {
      // Nobody is ever told: what this process wrote is in its own memory.
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing to close: what is left goes with the object.
  }

  #put(party: LatestParty): void {
    const { partyKey } = party;
    const stored = this.#grid.get(partyKey);
    if (stored && isOlder(party, stored)) return;
    const removed = this.#removed.get(partyKey);
    if (removed && !isOlder(removed, party) && this.#clock.now() - removed.atMs < TOMBSTONE_MS) return;
    this.#removed.delete(partyKey);
    this.#grid.set(party);
  }

  #remove(partyKey: string): void {
    const stored = this.#grid.get(partyKey);
    if (!stored) return;
    const { sessionEpoch, seq } = stored;
    this.#removed.set(partyKey, { sessionEpoch, seq, atMs: this.#clock.now() });
    this.#grid.delete(partyKey);
  }
}

function isOver(live: TripLive, nowMs: number): boolean {
  return live.dropAtMs > 0 && live.dropAtMs <= nowMs;
}
