import type { LiveChange, RiderPlace } from "../../core/live.ts";
import type { LiveBus, PartyMessage, Subscription } from "../bus.ts";

type Listener<Message> = (message: Message) => void;

/**
 * The bus of one process. Listeners are called at once, in the order of their subscription; what a listener publishes
 * meanwhile waits until everybody has heard the message before. Holds nothing but its subscriptions.
 */
export class MemoryBus implements LiveBus {
  readonly #trips = new Map<string, Set<Listener<LiveChange>>>();
  readonly #riders = new Map<string, Set<Listener<RiderPlace>>>();
  readonly #parties = new Map<string, Set<Listener<PartyMessage>>>();
  readonly #onListenerError: (error: unknown) => void;
  readonly #waiting: (() => void)[] = [];
  #delivering = false;
  #closed = false;

  /** @param onListenerError told what a listener threw; the others hear the message all the same */
  constructor(onListenerError: (error: unknown) => void) {
    this.#onListenerError = onListenerError;
  }

  publish(change: LiveChange): void {
    this.#deliver(this.#trips, change.tripId, change);
  }

  async subscribe(tripId: string, listener: Listener<LiveChange>): Promise<Subscription> {
    return this.#add(this.#trips, tripId, listener);
  }

  publishRider(place: RiderPlace): void {
    this.#deliver(this.#riders, place.tripId, place);
  }

  async subscribeRiders(tripId: string, listener: Listener<RiderPlace>): Promise<Subscription> {
    return this.#add(this.#riders, tripId, listener);
  }

  notify(message: PartyMessage): void {
    this.#deliver(this.#parties, message.partyKey, message);
  }

  async listen(partyKey: string, listener: Listener<PartyMessage>): Promise<Subscription> {
    return this.#add(this.#parties, partyKey, listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#trips.clear();
    this.#riders.clear();
    this.#parties.clear();
    this.#waiting.length = 0;
  }

  #add<Message>(
    topics: Map<string, Set<Listener<Message>>>,
    topic: string,
    listener: Listener<Message>,
  ): Subscription {
    // A wrapper of its own, so that the same function subscribed twice is two subscriptions.
    const own: Listener<Message> = (message) => listener(message);
    if (!this.#closed) {
      const listeners = topics.get(topic);
      if (listeners) listeners.add(own);
      else topics.set(topic, new Set([own]));
    }
    return {
      [Symbol.dispose]() {
        const listeners = topics.get(topic);
        if (listeners?.delete(own) && listeners.size === 0) topics.delete(topic);
      },
    };
  }

  #deliver<Message>(topics: Map<string, Set<Listener<Message>>>, topic: string, message: Message): void {
    if (this.#delivering) {
      this.#waiting.push(() => this.#tell(topics, topic, message));
      return;
    }
    this.#delivering = true;
    this.#tell(topics, topic, message);
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) next();
    this.#delivering = false;
  }

  #tell<Message>(topics: Map<string, Set<Listener<Message>>>, topic: string, message: Message): void {
    const listeners = topics.get(topic);
    if (!listeners) return;
    for (const listener of [...listeners]) {
      if (!listeners.has(listener)) continue;
      try {
        listener(message);
      } catch (error) {
        this.#onListenerError(error);
      }
    }
  }
}
