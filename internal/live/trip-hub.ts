import { BimrideError } from "../core/errors.ts";
import type { RiderPlace, TripLive } from "../core/live.ts";
import type { Trip } from "../core/trip.ts";
import type { Version } from "../core/version.ts";
import { BusRiderFeed } from "./bus-rider-feed.ts";
import type { Feed, Hub, RiderFeed } from "./hub.ts";
import { readRiderPlaces } from "./rider-places.ts";
import { type RoomDeps, TripRoom } from "./trip-room.ts";

/** How long a trip that nobody watches any more is kept, for viewers who reconnect. */
const LINGER_MS = 10_000;
/** Trips kept that way at most; beyond, the one left longest ago goes at once. */
const MAX_LINGERING = 1_000;

/**
 * The hub of one edge node: a room per watched trip. Its size is bounded by the watches that the edge admits
 * (maxWatchesPerNode, maxTripsPerWatch) and MAX_LINGERING.
 */
export class TripHub implements Hub {
  readonly #deps: RoomDeps;
  readonly #rooms = new Map<string, TripRoom>();
  /** Rooms without viewers, the one left longest ago first, with what cancels their end. */
  readonly #lingering = new Map<TripRoom, () => void>();
  #disposed = false;

  constructor(deps: RoomDeps) {
    this.#deps = deps;
  }

  /** Trips with a room now, watched or lingering. */
  get size(): number {
    return this.#rooms.size;
  }

  /** Rejects with STORE_UNAVAILABLE when the latest store can't be read, DRAINING when the hub is disposed. */
  async join(tripId: string, resumeAfter: Version | undefined): Promise<Feed | undefined> {
    if (this.#disposed) throw new BimrideError("DRAINING");
    const room = this.#rooms.get(tripId) ?? this.#open(tripId);
    this.#keep(room);
    return room.join(resumeAfter);
  }

  /** Rejects with STORE_UNAVAILABLE when the latest store can't be read. */
  async read(tripId: string): Promise<TripLive | undefined> {
    const live = this.#rooms.get(tripId)?.live ?? (await this.#deps.latest.trip(tripId));
    const over = live && live.dropAtMs > 0 && live.dropAtMs <= this.#deps.clock.now();
    return over ? undefined : live;
  }

  riders(trip: Trip, onNews: () => void): RiderFeed {
    return new BusRiderFeed(trip, this.#deps, onNews);
  }

  readRiders(trip: Trip): Promise<RiderPlace[]> {
    const { latest, clock, limits } = this.#deps;
    return readRiderPlaces(trip, latest, clock.now(), limits);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    for (const room of [...this.#rooms.values()]) room.close();
  }

  #open(tripId: string): TripRoom {
    const room: TripRoom = new TripRoom(
      tripId,
      this.#deps,
      () => this.#linger(room),
      () => this.#remove(room),
    );
    this.#rooms.set(tripId, room);
    return room;
  }

  #linger(room: TripRoom): void {
    if (this.#rooms.get(room.tripId) !== room) return;
    this.#keep(room);
    this.#lingering.set(
      room,
      this.#deps.clock.after(LINGER_MS, () => room.close()),
    );
    const [oldest] = this.#lingering.keys();
    if (oldest && this.#lingering.size > MAX_LINGERING) oldest.close();
  }

  #keep(room: TripRoom): void {
    this.#lingering.get(room)?.();
    this.#lingering.delete(room);
  }

  #remove(room: TripRoom): void {
    this.#keep(room);
    if (this.#rooms.get(room.tripId) === room) this.#rooms.delete(room.tripId);
  }
}
