import type { Limits } from "../core/limits.ts";
import { WANTED_ACCURACIES } from "./rate-input.ts";
import type { WantedRate } from "./wanted-rate.ts";

export type RateKeeperLimits = Pick<Limits, "wantedRatePauseMs" | "slowerRateAfterMs">;

/**
 * When a client is told of another rate: of a faster one at once, of a slower one when it has been right for slowerRateAfterMs,
 * and of none within wantedRatePauseMs of the one before. A rate that differs by its reason alone is not worth a message.
 * Times are of a monotonic clock.
 */
export class RateKeeper {
  readonly #limits: RateKeeperLimits;
  /** As the client has it. */
  #told: WantedRate;
  /** Of the last change; the first one may follow at once on what the client was told at the beginning. */
  #toldAtMs = Number.NEGATIVE_INFINITY;
  /** The newest decision. */
  #wanted: WantedRate;
  /** Since when all decisions were slower than what was told; Infinity when they are not. */
  #slowerSinceMs = Number.POSITIVE_INFINITY;

  /** @param told what the client is told at the beginning */
  constructor(told: WantedRate, limits: RateKeeperLimits) {
    this.#limits = limits;
    this.#told = told;
    this.#wanted = told;
  }

  /** True while something waits for its time: then {@link due} is to be asked again. */
  get waits(): boolean {
    return this.#wanted !== this.#told;
  }

  /**
   * A new decision; what to tell the client now, if anything.
   * @param certain true when what made it slower can't be a flicker (the trip is over): it need not stand first
   */
  decide(rate: WantedRate, nowMs: number, certain = false): WantedRate | undefined {
    const change = compareRates(rate, this.#told);
    if (change === 0) this.#wanted = this.#told;
    else this.#wanted = rate;
    if (change >= 0) this.#slowerSinceMs = Number.POSITIVE_INFINITY;
    else if (certain) this.#slowerSinceMs = Number.NEGATIVE_INFINITY;
    else this.#slowerSinceMs = Math.min(this.#slowerSinceMs, nowMs);
    return this.due(nowMs);
  }

  /** What to tell the client now, if anything. */
  due(nowMs: number): WantedRate | undefined {
    const { wantedRatePauseMs, slowerRateAfterMs } = this.#limits;
    if (!this.waits || nowMs - this.#toldAtMs < wantedRatePauseMs) return undefined;
    const isSlower = this.#slowerSinceMs !== Number.POSITIVE_INFINITY;
    if (isSlower && nowMs - this.#slowerSinceMs < slowerRateAfterMs) return undefined;
    this.#told = this.#wanted;
    this.#toldAtMs = nowMs;
    this.#slowerSinceMs = Number.POSITIVE_INFINITY;
    return this.#told;
  }
}

/** Positive when a asks for more than b, negative when it asks for less: first by the interval, then by the accuracy. */
export function compareRates(a: WantedRate, b: WantedRate): number {
  return (
    b.intervalMs - a.intervalMs ||
    WANTED_ACCURACIES.indexOf(a.accuracy) - WANTED_ACCURACIES.indexOf(b.accuracy)
  );
}
