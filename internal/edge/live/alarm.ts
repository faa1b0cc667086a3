import type { Clock } from "../../core/time.ts";

/** A longer wait is cut into pieces; whoever waits looks at the clock again anyway. */
const MAX_WAIT_MS = 60_000;

/** One sleeper that is woken by whoever rings, or by the clock. A ring while nobody sleeps is kept for the next sleep. */
export class Alarm implements Disposable {
  readonly #clock: Clock;
  #rung = false;
  #resolve: (() => void) | undefined;
  #cancel: (() => void) | undefined;
  #dueAtMs = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    if (!this.#resolve) {
      this.#rung = true;
      return;
    }
    const resolve = this.#resolve;
    this.#resolve = undefined;
    resolve();
  }

  /** Sleeps until the next ring, at most about `waitMs`; may wake early. One sleeper at a time. */
  sleep(waitMs: number): Promise<void> {
    if (this.#rung || waitMs <= 0) {
      this.#rung = false;
      return Promise.resolve();
    }
    this.#set(Math.min(waitMs, MAX_WAIT_MS));
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.ring();
  }

  /** A timer that is due earlier serves as well: the sleeper wakes, looks, and sleeps again. */
  #set(waitMs: number): void {
    const dueAtMs = this.#clock.monotonic() + waitMs;
    if (this.#cancel && this.#dueAtMs <= dueAtMs) return;
    this.#cancel?.();
    this.#dueAtMs = dueAtMs;
    this.#cancel = this.#clock.after(waitMs, () => {
      this.#cancel = undefined;
      this.ring();
    });
  }
}
