import type { Clock } from "../../core/time.ts";

/** Wait after a renewal that failed. */
const RETRY_MS = 100;

export type RenewalsOptions = {
  clock: Pick<Clock, "monotonic" | "after">;
  /** From the begin of one that went well to the next. */
  renewMs: number;
  /** False while there is no connection: there is no hurry to try again then. */
  connected: () => boolean;
  /** One renewal; true when it went well. Never rejects. */
  renew: () => Promise<boolean>;
  /** Called after each. */
  renewed: () => void;
};

/** When to renew: one renewal at a time, for ever, sooner again after one that failed. */
export class Renewals {
  readonly #options: RenewalsOptions;
  #underWay: Promise<void> | undefined;
  #cancelNext = () => {};
  #stopped = false;

  constructor(options: RenewalsOptions) {
    this.#options = options;
  }

  /** The first one comes after renewMs. */
  start(): void {
    this.#schedule(this.#options.renewMs);
  }

  /** One now, unless one is under way; the next one after it. */
  now(): void {
    if (this.#underWay || this.#stopped) return;
    const { clock, renewMs, connected, renew, renewed } = this.#options;
    const startedMs = clock.monotonic();
    this.#underWay = renew().then((well) => {
      this.#underWay = undefined;
      const spentMs = clock.monotonic() - startedMs;
      if (well) this.#schedule(Math.max(0, renewMs - spentMs));
      else if (connected()) this.#schedule(RETRY_MS);
      else this.#schedule(renewMs);
      renewed();
    });
  }

  /** Resolves when the one under way is over; none begins after the call. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelNext();
    await this.#underWay;
  }

  #schedule(delayMs: number): void {
    this.#cancelNext();
    if (!this.#stopped) this.#cancelNext = this.#options.clock.after(delayMs, () => this.now());
  }
}
