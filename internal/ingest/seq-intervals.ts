/**
 * The sequence numbers of a session that are known to be durable, as disjoint intervals in order. Bounded: on overflow
 * the lowest interval is forgotten, never a gap closed, so that the set only ever says less than the truth; a repeat
 * of a forgotten number is then stored again, which readers of the log bear.
 */
export class SeqIntervals {
  readonly #maxIntervals: number;
  /** Borders, inclusive: first0, last0, first1, last1 … rising. */
  #borders: number[] = [];

  /** @param maxIntervals at least 1 */
  constructor(maxIntervals: number) {
    this.#maxIntervals = maxIntervals;
  }

  /** Intervals held now. */
  get size(): number {
    return this.#borders.length / 2;
  }

  /** The largest number in the set, or undefined when it is empty. */
  get largest(): number | undefined {
    return this.#borders.at(-1);
  }

  /** True when the number is known to be in the set. */
  has(seq: number): boolean {
    const at = this.#indexOf(seq);
    return at < this.size && this.#first(at) <= seq;
  }

  /** Adds one number. */
  add(seq: number): void {
    const at = this.#indexOf(seq);
    if (at < this.size && this.#first(at) <= seq) return;
    const joinsBefore = at > 0 && this.#last(at - 1) === seq - 1;
    const joinsAfter = at < this.size && this.#first(at) === seq + 1;
    if (joinsBefore && joinsAfter) this.#borders.splice(at * 2 - 1, 2);
    else if (joinsBefore) this.#borders[at * 2 - 1] = seq;
    else if (joinsAfter) this.#borders[at * 2] = seq;
    else this.#borders.splice(at * 2, 0, seq, seq);
    if (this.size > this.#maxIntervals) this.#borders.splice(0, 2);
  }

  #first(index: number): number {
    return this.#borders[index * 2] as number;
  }

  #last(index: number): number {
    return this.#borders[index * 2 + 1] as number;
  }

  /** Index of the first interval that ends at or after the number. */
  #indexOf(seq: number): number {
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#last(middle) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
