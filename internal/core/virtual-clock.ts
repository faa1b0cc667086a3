import type { Clock } from "./time.ts";

type Timer = { dueMs: number; order: number; periodMs: number; callback: () => void };

/** A clock that stands still until it is told to advance: for recorded drives faster than life, and for tests. */
export class VirtualClock implements Clock {
  #nowMs: number;
  #order = 0;
  readonly #timers = new Set<Timer>();

  /** @param startMs milliseconds since 1970 */
  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    return this.#add(delayMs, 0, callback);
  }

  every(periodMs: number, callback: () => void): () => void {
    return this.#add(periodMs, periodMs, callback);
  }

  /** Moves on to the time, running what falls due on the way in order. Times in the past change nothing. */
  advanceTo(timeMs: number): void {
    for (let next = this.#next(timeMs); next; next = this.#next(timeMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      if (next.periodMs > 0) next.dueMs = this.#nowMs + next.periodMs;
      else this.#timers.delete(next);
      next.callback();
    }
    this.#nowMs = Math.max(this.#nowMs, timeMs);
  }

  #next(untilMs: number): Timer | undefined {
    let best: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs > untilMs) continue;
      if (!best || timer.dueMs < best.dueMs || (timer.dueMs === best.dueMs && timer.order < best.order))
        best = timer;
    }
    return best;
  }

  #add(delayMs: number, periodMs: number, callback: () => void): () => void {
    const timer: Timer = {
      dueMs: this.#nowMs + Math.max(1, delayMs),
      order: this.#order++,
      periodMs,
      callback,
    };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
}
