import type { Lease } from "../lease.ts";

export type LeaseListener = (leases: readonly Lease[]) => void | Promise<void>;

/**
 * Tells listeners which leases there are: each one call at a time, always the newest list, so that one that is slow
 * misses what has passed. A listener that throws is told of the next change all the same.
 */
export class Announcer {
  readonly #current: () => readonly Lease[];
  readonly #onError: (error: unknown) => void;
  readonly #listeners = new Map<
    LeaseListener,
    { underWay: Promise<void>; next: Promise<void> | undefined }
  >();

  /** @param current the list at the moment */
  constructor(current: () => readonly Lease[], onError: (error: unknown) => void) {
    this.#current = current;
    this.#onError = onError;
  }

  /** Adds a listener and calls it. Rejects when that call does; it is not added then. */
  async add(listener: LeaseListener): Promise<void> {
    const first = Promise.resolve().then(() => listener(this.#current()));
    this.#listeners.set(listener, { underWay: first.catch(() => {}), next: undefined });
    try {
      await first;
    } catch (error) {
      this.#listeners.delete(listener);
      throw error;
    }
  }

  /** Resolves once each listener has dealt with the list as it is now, or with a later one. */
  async tell(): Promise<void> {
    await Promise.all([...this.#listeners.keys()].map((listener) => this.#soon(listener)));
  }

  #soon(listener: LeaseListener): Promise<void> {
    const calls = this.#listeners.get(listener)!;
    calls.next ??= calls.underWay.then(async () => {
      calls.next = undefined;
      if (!this.#listeners.has(listener)) return;
      try {
        await listener(this.#current());
      } catch (error) {
        this.#onError(error);
      }
    });
    calls.underWay = calls.next;
    return calls.next;
  }
}
