import { BimrideError } from "../core/errors.ts";

/**
 * Lets so many through at once; so many more wait, first come, first served; beyond that STORE_UNAVAILABLE at once, as
 * what comes faster than the store takes it has to be told so.
 */
export class Gate {
  readonly #maxInside: number;
  readonly #maxWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(maxInside: number, maxWaiting: number) {
    this.#maxInside = maxInside;
    this.#maxWaiting = maxWaiting;
  }

  /** Runs the task as soon as there is room. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#inside >= this.#maxInside) {
      if (this.#waiting.length >= this.#maxWaiting)
        throw new BimrideError("STORE_UNAVAILABLE", "Too many requests wait for the store.");
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#inside++;
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#inside--;
    }
  }
}
