/** The clocks a part may use. Passed in, so that a test or a drive at 100 × speed can supply its own. */
export type Clock = {
  /** Wall clock, milliseconds since 1970. */
  now(): number;
  /** Monotonic clock, milliseconds from an arbitrary start. */
  monotonic(): number;
  /** Runs `callback` after `delayMs` of this clock; the returned function cancels it. Never keeps the process alive. */
  after(delayMs: number, callback: () => void): () => void;
  /** Runs `callback` every `periodMs` of this clock; the returned function stops it. Never keeps the process alive. */
  every(periodMs: number, callback: () => void): () => void;
};

/** The machine's own clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
  every(periodMs, callback) {
    const timer = setInterval(callback, periodMs);
    timer.unref();
    return () => clearInterval(timer);
  },
};

/** Resolves after `delayMs` of the clock, or at once when the signal aborts. */
export function sleep(clock: Pick<Clock, "after">, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(delayMs, done);
    signal?.addEventListener("abort", done, { once: true });
  });
}
