import type { LiveChange, RiderPlace } from "../../core/live.ts";
import type { Clock } from "../../core/time.ts";
import type { LiveBus, PartyMessage, Subscription } from "../../live/bus.ts";
import { EngineMap, type RouterOptions } from "./engine-map.ts";

/** Messages to a party that are remembered to know their repeats; more are forgotten, oldest first. */
const MAX_REMEMBERED = 64;
/** Pause after a region's bus refused a subscription. */
const RETRY_MS = 5_000;

/**
 * The buses of several regions as one: a trip's changes and riders travel on its region's bus, messages to a party on all of them, so
 * that they arrive whichever region is lost; the listener hears each once. Disposing it disposes the engines.
 */
export function routedBus(byRegion: ReadonlyMap<string, LiveBus>, options: RouterOptions = {}): LiveBus {
  return new RoutedBus(new EngineMap(byRegion, options));
}

class RoutedBus implements LiveBus {
  readonly #engines: EngineMap<LiveBus>;

  constructor(engines: EngineMap<LiveBus>) {
    this.#engines = engines;
  }

  publish(change: LiveChange): void {
    this.#engines.ofTrip(change.tripId).publish(change);
  }

  subscribe(tripId: string, listener: (change: LiveChange) => void): Promise<Subscription> {
    return this.#engines.ofTrip(tripId).subscribe(tripId, listener);
  }

  publishRider(place: RiderPlace): void {
    this.#engines.ofTrip(place.tripId).publishRider(place);
  }

  subscribeRiders(tripId: string, listener: (place: RiderPlace) => void): Promise<Subscription> {
    return this.#engines.ofTrip(tripId).subscribeRiders(tripId, listener);
  }

  notify(message: PartyMessage): void {
    for (const engine of this.#engines.distinct) engine.notify(message);
  }

  /** Resolves once it stands with all, or with those that answer in time; the others follow. Rejects when none answers. */
  async listen(partyKey: string, listener: (message: PartyMessage) => void): Promise<Subscription> {
    const heard = new HeardMessages();
    const listening = new Listening(this.#engines.ioClock);
    try {
      await this.#engines.answered((engine) =>
        listening.on(engine, () =>
          engine.listen(partyKey, (message) => {
            if (heard.isNews(engine, message)) listener(message);
          }),
        ),
      );
    } catch (error) {
      listening[Symbol.dispose]();
      throw error;
    }
    return listening;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#engines.dispose();
  }
}

/** One party listened to on several buses; a bus that refuses is asked again until it doesn't. */
class Listening implements Disposable {
  readonly #ioClock: Clock;
  /** Per bus, what ends its subscription or the wait for the next try. */
  readonly #ends = new Map<LiveBus, () => void>();
  #over = false;

  constructor(ioClock: Clock) {
    this.#ioClock = ioClock;
  }

  /** Resolves once the bus listens; rejects when it refuses, and goes on trying. */
  async on(bus: LiveBus, listen: () => Promise<Subscription>): Promise<void> {
    try {
      const subscription = await listen();
      if (this.#over) subscription[Symbol.dispose]();
      else this.#ends.set(bus, () => subscription[Symbol.dispose]());
    } catch (error) {
      // Told of the failure was whoever asked first; the tries after it are silent.
      const again = () => void this.on(bus, listen).catch(() => {});
      if (!this.#over) this.#ends.set(bus, this.#ioClock.after(RETRY_MS, again));
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#over = true;
    for (const end of this.#ends.values()) end();
    this.#ends.clear();
  }
}

/** Tells what one bus brings first from what the others bring after it. */
class HeardMessages {
  /** Per message, how often each bus has brought it. */
  readonly #counts = new Map<string, Map<LiveBus, number>>();

  /** True when this bus has now brought the message more often than any bus before. */
  isNews(bus: LiveBus, message: PartyMessage): boolean {
    const key = JSON.stringify(message);
    const counts = this.#counts.get(key) ?? new Map<LiveBus, number>();
    const before = Math.max(0, ...counts.values());
    const now = (counts.get(bus) ?? 0) + 1;
    counts.set(bus, now);
    this.#counts.set(key, counts);
    if (this.#counts.size > MAX_REMEMBERED) {
      const [oldest] = this.#counts.keys();
      this.#counts.delete(oldest!);
    }
    return now > before;
  }
}
