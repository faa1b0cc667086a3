import { performance } from "node:perf_hooks";
import type { LoadLevel } from "./rate-input.ts";

/** Shares of what this process can do (0…1) at which a level begins and at which it is left. */
const BUSY = { enter: 0.85, leave: 0.7 };
const OVERLOADED = { enter: 0.97, leave: 0.88 };
/** Looks in a row that must agree before the level rises, and before it falls. One look a second. */
const LOOKS_TO_RISE = 5;
const LOOKS_TO_FALL = 30;

/** How busy a gateway is, in levels that change slowly. */
export class LoadGauge {
  readonly #shareInUse: () => number;
  #level: LoadLevel = 0;
  #looksAbove = 0;
  #looksBelow = 0;

  /** @param shareInUse how much of what this process can do was in use since the last call, 0…1 */
  constructor(shareInUse: () => number) {
    this.#shareInUse = shareInUse;
  }

  get level(): LoadLevel {
    return this.#level;
  }

  /** Called once a second. */
  look(): void {
    const share = this.#shareInUse();
    const rises = share >= (this.#level === 0 ? BUSY : OVERLOADED).enter && this.#level < 2;
    const falls = share < (this.#level === 2 ? OVERLOADED : BUSY).leave && this.#level > 0;
    this.#looksAbove = rises ? this.#looksAbove + 1 : 0;
    this.#looksBelow = falls ? this.#looksBelow + 1 : 0;
    if (this.#looksAbove >= LOOKS_TO_RISE) this.#become((this.#level + 1) as LoadLevel);
    else if (this.#looksBelow >= LOOKS_TO_FALL) this.#become((this.#level - 1) as LoadLevel);
  }

  #become(level: LoadLevel): void {
    this.#level = level;
    this.#looksAbove = 0;
    this.#looksBelow = 0;
  }
}

/** The share of time that this process's thread was at work since the last call. */
export function threadShare(): () => number {
  let before = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return utilization;
  };
}
