/**
 * Answers that are remembered: more than a process has under way to one shard, which is four calls of each of 16
 * partitions and a question. Beyond that a loss may be missed; none is made up.
 */
const MAX_REMEMBERED = 256;
/** Of what Redis knew when it knew nothing. */
const NOTHING = -1;

/** `isTold`: that writes were missing before it was said. */
type Answer = { number: number; before: number; isTold: boolean };

/**
 * Tells whether Redis still has what this process wrote to one shard. Every write says a number that grows and gets back
 * what was said before; hearing anything else means that writes are missing: the server was emptied, restarted with
 * nothing or with an older snapshot, or a replica that lagged took its place. Writes are carried out in the order of
 * their numbers; their answers may be told in another one. Where Redis has them sent again (a script that it forgot, a
 * cluster that moves slots) they may change places, and a loss is told that was none. One is told too where the mark is of
 * a write that failed and was carried out all the same: what that one found nobody knows.
 */
export class LossWatch {
  #said = 0;
  #heard = 0;
  /** The newest answers told, oldest first. */
  readonly #answers: Answer[] = [];
  /** Writes of which no answer will come, oldest first, as many. */
  readonly #failed = new Set<number>();

  /** True once a write was answered: before that there is nothing to lose. */
  get hasWritten(): boolean {
    return this.#heard > 0;
  }

  /** The number to say next. */
  next(): number {
    return ++this.#said;
  }

  /** No answer to the write will come: it was carried out or not. */
  failed(number: number): void {
    this.#failed.add(number);
    const [oldest] = this.#failed;
    if (this.#failed.size > MAX_REMEMBERED) this.#failed.delete(oldest!);
  }

  /**
   * Takes an answer.
   * @param number what was said
   * @param before what Redis knew before that; undefined when it knew nothing
   * @returns true when writes are missing
   */
  answered(number: number, before: number = NOTHING): boolean {
    const known = number > this.#heard ? this.#heard : this.#heardBelow(number);
    const misses = (known > 0 && (before < known || this.#failed.has(before))) || before >= number;
    const later = this.#laterThatMissed(number);
    this.#heard = Math.max(this.#heard, number);
    this.#answers.push({ number, before, isTold: misses });
    if (this.#answers.length > MAX_REMEMBERED) this.#answers.shift();
    const isNews = later.some(({ isTold }) => !isTold);
    for (const each of later) each.isTold = true;
    return misses || isNews;
  }

  #heardBelow(number: number): number {
    return this.#answers.reduce(
      (most, each) => (each.number < number ? Math.max(most, each.number) : most),
      0,
    );
  }

  /** Answers to later writes, told before this one, that did not know of it. */
  #laterThatMissed(number: number): Answer[] {
    if (number > this.#heard) return [];
    return this.#answers.filter((each) => each.number > number && each.before < number);
  }
}
