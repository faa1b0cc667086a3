import type { Clock } from "../../internal/core/time.ts";

/** A clock that runs `factor` times as fast as the machine's, from now on. */
export function scaledClock(factor: number): Clock {
  const startWallMs = Date.now();
  const start = performance.now();
  const elapsed = () => (performance.now() - start) * factor;
  return {
    now: () => Math.round(startWallMs + elapsed()),
    monotonic: elapsed,
    after(delayMs, callback) {
      const timer = setTimeout(callback, delayMs / factor);
      timer.unref();
      return () => clearTimeout(timer);
    },
    every(periodMs, callback) {
      const timer = setInterval(callback, Math.max(1, periodMs / factor));
      timer.unref();
      return () => clearInterval(timer);
    },
  };
}
