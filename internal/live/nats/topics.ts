import type { Subscription as NatsSubscription } from "@nats-io/transport-node";
import { BimrideError } from "../../core/errors.ts";
import { type Clock, sleep } from "../../core/time.ts";
import type { NatsLink } from "../../nats/link.ts";
import type { Subscription } from "../bus.ts";

export type TopicsOptions<Message> = {
  link: NatsLink;
  clock: Clock;
  /** Undefined: nothing to tell. May throw. */
  decode(topic: string, body: Uint8Array): Message | undefined;
  /** Told what a listener or `decode` threw. */
  onError(error: unknown): void;
};

/** How long a subscription waits for a server that is away. */
const SUBSCRIBE_MS = 5_000;
const RETRY_MS = 100;

type Listener<Message> = (message: Message) => void;
type Topic<Message> = { listeners: Set<Listener<Message>>; subscription: NatsSubscription };

/** Subscriptions by topic: one at the server for all listeners of a subject, none when there are none. */
export class Topics<Message> {
  readonly #options: TopicsOptions<Message>;
  readonly #topics = new Map<string, Topic<Message>>();
  #flush: Promise<void> | undefined;
  #closed = false;

  constructor(options: TopicsOptions<Message>) {
    this.#options = options;
  }

  /** Resolves once the server has the subscription. Rejects with STORE_UNAVAILABLE after 5 s without a server. */
  async add(topic: string, subject: string, listener: Listener<Message>): Promise<Subscription> {
    // A wrapper of its own, so that the same function subscribed twice is two subscriptions.
    const own: Listener<Message> = (message) => listener(message);
    const subscription = { [Symbol.dispose]: () => this.#remove(subject, own) };
    if (this.#closed) return subscription;
    let held = this.#topics.get(subject);
    if (!held) {
      held = { listeners: new Set(), subscription: this.#subscribe(topic, subject) };
      this.#topics.set(subject, held);
    }
    held.listeners.add(own);
    try {
      await this.#standing();
    } catch (cause) {
      subscription[Symbol.dispose]();
      throw new BimrideError("STORE_UNAVAILABLE", "The live bus can't be reached now.", { cause });
    }
    return subscription;
  }

  close(): void {
    this.#closed = true;
    for (const { subscription } of this.#topics.values()) this.#unsubscribe(subscription);
    this.#topics.clear();
  }

  #subscribe(topic: string, subject: string): NatsSubscription {
    const { link, decode, onError } = this.#options;
    return link.connection.subscribe(subject, {
      callback: (error, { data }) => {
        if (error) return onError(error);
        try {
          const message = decode(topic, data);
          if (message) this.#tell(subject, message);
        } catch (fault) {
          onError(fault);
        }
      },
    });
  }

  #tell(subject: string, message: Message): void {
    const listeners = this.#topics.get(subject)?.listeners;
    if (!listeners) return;
    for (const listener of [...listeners]) {
      if (!listeners.has(listener)) continue;
      try {
        listener(message);
      } catch (error) {
        this.#options.onError(error);
      }
    }
  }

  #remove(subject: string, listener: Listener<Message>): void {
    const topic = this.#topics.get(subject);
    if (!topic?.listeners.delete(listener) || topic.listeners.size > 0) return;
    this.#topics.delete(subject);
    this.#unsubscribe(topic.subscription);
  }

  #unsubscribe(subscription: NatsSubscription): void {
    if (!this.#options.link.connection.isClosed()) subscription.unsubscribe();
  }

  /** Resolves once the server has all that was sent until now; while it is away, once it has been told again. */
  async #standing(): Promise<void> {
    const { clock } = this.#options;
    const startMs = clock.monotonic();
    for (;;) {
      try {
        return await this.#flushed();
      } catch (error) {
        if (clock.monotonic() - startMs > SUBSCRIBE_MS || this.#closed) throw error;
        await sleep(clock, RETRY_MS);
      }
    }
  }

  /** One round trip for all that ask in the same turn. */
  #flushed(): Promise<void> {
    this.#flush ??= Promise.resolve().then(() => {
      this.#flush = undefined;
      const { link } = this.#options;
      if (!link.connected) throw new Error("not connected");
      return link.connection.flush();
    });
    return this.#flush;
  }
}
