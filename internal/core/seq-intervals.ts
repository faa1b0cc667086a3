/**
 * The sequence numbers of a session that were seen, as disjoint intervals in order. Bounded: on overflow the lowest
 * interval is forgotten, never a gap closed, so that the set only ever says less than the truth; a repeat of a forgotten
 * number then passes for new, which readers of the log and of history bear.
 */
export class SeqIntervals {
  readonly #maxIntervals: number;
  #borders: number[];

  /**
   * @param maxIntervals at least 1
   * @param borders what an earlier set gave as {@link borders}
   */
  constructor(maxIntervals: number, borders: readonly number[] = []) {
    this.#maxIntervals = maxIntervals;
    this.#borders = [...borders];
  }

  /** Borders of the intervals, inclusive: first0, last0, first1, last1 … rising. For snapshots. */
  get borders(): readonly number[] {
    return this.#borders;
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

  /** Adds one number; false when it was in the set already. */
  add(seq: number): boolean {
    const last = this.#borders.length - 1;
    if (last > 0 && seq === this.#borders[last]! + 1) {
      this.#borders[last] = seq; // the normal case: the next fix of a session
      return true;
    }
    const at = this.#indexOf(seq);
    if (at < this.size && this.#first(at) <= seq) return false;
    const joinsBefore = at > 0 && this.#last(at - 1) === seq - 1;
    const joinsAfter = at < this.size && this.#first(at) === seq + 1;
    if (joinsBefore && joinsAfter) this.#borders.splice(at * 2 - 1, 2);
    else if (joinsBefore) this.#borders[at * 2 - 1] = seq;
    else if (joinsAfter) this.#borders[at * 2] = seq;
    else this.#borders.splice(at * 2, 0, seq, seq);
    if (this.size > this.#maxIntervals) this.#borders.splice(0, 2);
    return true;
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
