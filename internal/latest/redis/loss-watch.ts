/**
 * Tells whether Redis still has what this process wrote to one shard. Every write says a number that grows and gets back
 * what was said before; hearing anything else means that writes are missing: the server was emptied, restarted with
 * nothing or with an older snapshot, or a replica that lagged took its place.
 */
export class LossWatch {
  #said = 0;
  #heard = 0;

  /** True once a write was answered: before that there is nothing to lose. */
  get hasWritten(): boolean {
    return this.#heard > 0;
  }

  /** The number to say next. */
  next(): number {
    return ++this.#said;
  }

  /**
   * Takes an answer.
   * @param number what was said
   * @param before what Redis knew before that; undefined when it knew nothing
   * @returns true when writes are missing
   */
  answered(number: number, before: number | undefined): boolean {
    // What was said last and never answered may have arrived or not.
    const expected = before === undefined ? this.#heard === 0 : before >= this.#heard && before < number;
    this.#heard = Math.max(this.#heard, number);
    return !expected;
  }
}
