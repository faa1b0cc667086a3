/** Shortest ceiling of a wait, milliseconds. */
export const BACKOFF_BASE_MS = 500;
/** Longest ceiling of a wait, milliseconds. */
export const BACKOFF_CAP_MS = 20_000;

/**
 * Full-jitter back-off (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015): a wait is drawn
 * evenly from 0 to a ceiling that doubles with every failure, so that the clients of a restarted server come back
 * spread out.
 */
export type Backoff = {
  /** The next wait, milliseconds. */
  next(): number;
  /** To be called when a message came, never merely on connect: a server that accepts and then fails is still failing. */
  reset(): void;
};

/** Starts a back-off. `random` gives numbers from 0 up to, not including, 1. */
export function createBackoff(
  random: () => number,
  baseMs: number = BACKOFF_BASE_MS,
  capMs: number = BACKOFF_CAP_MS,
): Backoff {
  let failures = 0;
  return {
    next() {
      const ceilingMs = Math.min(capMs, baseMs * 2 ** Math.min(failures, 20));
      failures++;
      return random() * ceilingMs;
    },
    reset() {
      failures = 0;
    },
  };
}
