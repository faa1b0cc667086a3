/** Answers that are remembered: more than a process has under way to one shard. */
const MAX_REMEMBERED = 256;
/** Of what Redis knew when it knew nothing. */
const NOTHING = -1;

/**
 * Tells whether Redis still has what this process wrote to one shard. Every write says a number that grows and gets back
 * what was said before; hearing anything else means that writes are missing: the server was emptied, restarted with
 * nothing or with an older snapshot, or a replica that lagged took its place. Writes are carried out in the order of
 * their numbers; their answers may be told in another one.
 */
export class LossWatch {
  #said = 0;
  #heard = 0;
  /** The newest answers told, oldest first. */
  readonly #answers: { number: number; before: number }[] = [];

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
  answered(number: number, before: number = NOTHING): boolean {
    // What was said last and never answered may have arrived or not.
    const known = number > this.#heard ? this.#heard : this.#heardBelow(number);
    const isMissing = (known > 0 && before < known) || before >= number || this.#wasMissedLater(number);
    this.#heard = Math.max(this.#heard, number);
    this.#answers.push({ number, before });
    if (this.#answers.length > MAX_REMEMBERED) this.#answers.shift();
    return isMissing;
  }

  #heardBelow(number: number): number {
    return this.#answers.reduce(
      (most, each) => (each.number < number ? Math.max(most, each.number) : most),
      0,
    );
  }

  /** An answer to a later write, told before this one, did not know of it. */
  #wasMissedLater(number: number): boolean {
    return number < this.#heard && this.#answers.some((each) => each.number > number && each.before < number);
  }
}
