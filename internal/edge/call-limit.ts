import { BimrideError } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";

const WINDOW_MS = 60_000;
/** Addresses that are counted in a window; calls of further ones are refused. */
const MAX_ADDRESSES = 1_000;

/** So many calls per address and minute, where a wrong one is worth an attacker's while. */
export class CallLimit {
  readonly #perMinute: number;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #calls = new Map<string, number>();
  #windowEndsMs = 0;

  constructor(perMinute: number, clock: Pick<Clock, "monotonic">) {
    this.#perMinute = perMinute;
    this.#clock = clock;
  }

  /** Counts a call. Throws RATE_LIMITED. */
  count(address: string): void {
    const nowMs = this.#clock.monotonic();
    if (nowMs >= this.#windowEndsMs) {
      this.#calls.clear();
      this.#windowEndsMs = nowMs + WINDOW_MS;
    }
    const calls = (this.#calls.get(address) ?? 0) + 1;
    if (calls > this.#perMinute || (calls === 1 && this.#calls.size >= MAX_ADDRESSES))
      throw new BimrideError("RATE_LIMITED");
    this.#calls.set(address, calls);
  }
}
