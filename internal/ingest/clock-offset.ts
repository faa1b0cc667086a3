import type { Limits } from "../core/limits.ts";

/** Below the estimate by more than this is a step of the device clock, not a quicker message. */
const MAX_QUICKER_MS = 5_000;
/** Above the estimate by more than this is a step of the device clock, not a slower message. */
const MAX_DELAY_MS = 120_000;
/** Two samples this close tell of the same step. */
const STEP_AGREEMENT_MS = 5_000;
/** So many samples in a row, over so long, all above the estimate by about the same, are a small step back. */
const MIN_RUN = 5;
const MIN_RUN_SPAN_MS = 30_000;
/** The last time that a Date can hold, milliseconds since 1970. */
const MAX_DEVICE_TIME_MS = 8.64e15;

/**
 * Estimates how far a device's clock is behind the gateway's (negative: ahead) from messages that carry the device
 * time at which they were made. Delay only ever makes (received − device time) larger, so the lowest over the session
 * is the best (the one-way half of Cristian's algorithm); Hello is the first sample. Capture times take no part: one
 * wrong one must not move all others.
 *
 * Steps of the device clock: a sample that no delay explains stands for its own message only, and becomes the estimate
 * when the next one agrees; a small step back, which looks like delay, is told from delay by its constancy.
 */
export class ClockOffset {
  readonly #deadBandMs: number;
  #estimateMs: number | undefined;
  #candidateMs: number | undefined;
  #runCount = 0;
  #runStartMs = 0;
  #runLowMs = 0;
  #runHighMs = 0;

  constructor(limits: Pick<Limits, "clockDeadBandMs">) {
    this.#deadBandMs = limits.clockDeadBandMs;
  }

  /** What to add to device times of the session to get server time; 0 within the dead band and before any sample. */
  get appliedMs(): number {
    return this.#applied(this.#estimateMs ?? 0);
  }

  /**
   * Takes the sample of one message in and answers the offset that applies to the capture times in it.
   * @param deviceTimeMs 0, NaN or beyond what a Date can hold: the message has none, and the session's estimate applies
   */
  sample(receivedAtMs: number, deviceTimeMs: number): number {
    if (!(deviceTimeMs > 0 && deviceTimeMs <= MAX_DEVICE_TIME_MS)) return this.appliedMs;
    const sampleMs = receivedAtMs - deviceTimeMs;
    const estimateMs = this.#estimateMs;
    if (estimateMs === undefined) return this.#adopt(sampleMs);
    const aboveMs = sampleMs - estimateMs;
    if (aboveMs < -MAX_QUICKER_MS || aboveMs > MAX_DELAY_MS) return this.#suspect(sampleMs);
    this.#candidateMs = undefined;
    if (aboveMs < 0) return this.#adopt(sampleMs);
    if (aboveMs > this.#deadBandMs) this.#extendRun(sampleMs, receivedAtMs);
    else this.#runCount = 0;
    return this.appliedMs;
  }

  #suspect(sampleMs: number): number {
    const agrees =
      this.#candidateMs !== undefined && Math.abs(sampleMs - this.#candidateMs) <= STEP_AGREEMENT_MS;
    if (agrees) return this.#adopt(Math.min(sampleMs, this.#candidateMs as number));
    this.#candidateMs = sampleMs;
    return this.#applied(sampleMs);
  }

  #extendRun(sampleMs: number, receivedAtMs: number): void {
    if (this.#runCount++ === 0) {
      this.#runStartMs = receivedAtMs;
      this.#runLowMs = sampleMs;
      this.#runHighMs = sampleMs;
    }
    this.#runLowMs = Math.min(this.#runLowMs, sampleMs);
    this.#runHighMs = Math.max(this.#runHighMs, sampleMs);
    const constant = this.#runHighMs - this.#runLowMs <= (this.#runLowMs - (this.#estimateMs ?? 0)) / 2;
    if (!constant) this.#runCount = 0;
    else if (this.#runCount >= MIN_RUN && receivedAtMs - this.#runStartMs >= MIN_RUN_SPAN_MS)
      this.#adopt(this.#runLowMs);
  }

  #adopt(offsetMs: number): number {
    this.#estimateMs = offsetMs;
    this.#candidateMs = undefined;
    this.#runCount = 0;
    return this.appliedMs;
  }

  #applied(offsetMs: number): number {
    return Math.abs(offsetMs) <= this.#deadBandMs ? 0 : Math.round(offsetMs);
  }
}
