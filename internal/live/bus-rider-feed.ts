import type { Limits } from "../core/limits.ts";
import { isNewerPlace, type RiderPlace } from "../core/live.ts";
import type { Clock } from "../core/time.ts";
import type { Trip } from "../core/trip.ts";
import type { Latest } from "../latest/latest.ts";
import type { LiveBus, Subscription } from "./bus.ts";
import type { RiderFeed } from "./hub.ts";
import { readRiderPlaces } from "./rider-places.ts";

export type RiderFeedDeps = {
  bus: LiveBus;
  latest: Latest;
  clock: Clock;
  limits: Limits;
  onError(error: unknown): void;
};

/** Pause after bus or latest store failed. */
const RETRY_MS = 1_000;

/**
 * Subscribes, then reads what the latest store has; what the bus brought wins, its newest by log order. A place that the
 * bus lost is followed by the rider's next one, a "gone" that it lost by the trip itself.
 */
export class BusRiderFeed implements RiderFeed {
  readonly ready: Promise<void>;
  readonly #trip: Trip;
  readonly #deps: RiderFeedDeps;
  readonly #onNews: () => void;
  readonly #places = new Map<string, RiderPlace>();
  #subscription: Subscription | undefined;
  #cancelRetry: () => void = () => {};
  #closed = false;

  /** Use Hub.riders. */
  constructor(trip: Trip, deps: RiderFeedDeps, onNews: () => void) {
    this.#trip = trip;
    this.#deps = deps;
    this.#onNews = onNews;
    this.ready = this.#open();
  }

  get places(): ReadonlyMap<string, RiderPlace> {
    return this.#places;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#cancelRetry();
    this.#subscription?.[Symbol.dispose]();
    this.#places.clear();
  }

  async #open(): Promise<void> {
    const { bus, latest, clock, limits, onError } = this.#deps;
    try {
      if (!this.#subscription) {
        const subscription = await bus.subscribeRiders(this.#trip.tripId, (place) => this.#hear(place));
        if (this.#closed) return subscription[Symbol.dispose]();
        this.#subscription = subscription;
      }
      for (const place of await readRiderPlaces(this.#trip, latest, clock.now(), limits))
        if (!this.#places.has(place.riderId)) this.#hear(place);
    } catch (error) {
      if (this.#closed) return;
      onError(error);
      this.#cancelRetry = clock.after(RETRY_MS, () => void this.#open());
    }
  }

  #hear(place: RiderPlace): void {
    if (this.#closed) return;
    const { riderId } = place;
    const known = this.#places.get(riderId);
    if (known && !isNewerPlace(place, known)) return;
    this.#places.delete(riderId);
    this.#places.set(riderId, place);
    if (this.#places.size > this.#deps.limits.maxRiders)
      this.#places.delete(this.#places.keys().next().value!);
    this.#onNews();
  }
}
