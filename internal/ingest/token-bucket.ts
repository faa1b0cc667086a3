/** A token bucket: so many per second sustained, so many at once. Reads no clock of its own. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  /** Starts full. @param nowMs any clock that does not go back; a step back gives nothing and takes nothing */
  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /** Takes as many of the wanted tokens as there are; answers how many. */
  take(wanted: number, nowMs: number): number {
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs = nowMs;
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsedMs * this.#perSecond) / 1_000);
    const taken = Math.min(wanted, Math.floor(this.#tokens));
    this.#tokens -= taken;
    return taken;
  }

  /** Milliseconds until so many tokens will be there, at most until the bucket is full. */
  waitMs(wanted: number): number {
    const missing = Math.min(wanted, this.#burst) - this.#tokens;
    return missing <= 0 ? 0 : Math.ceil((missing * 1_000) / this.#perSecond);
  }
}
