/**
 * What waits for its acknowledgement, by token: tokens are given out in order, so places in a ring serve for a map that
 * is written and deleted from all the time. Grows with the distance from the oldest to the newest that waits.
 */
export class PendingEntries<Entry extends { readonly token: number }> {
  #slots: (Entry | undefined)[] = Array.from({ length: 1_024 });
  /** Of the oldest that may wait, and of the newest. */
  #first = 1;
  #last = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Token of the next one to be added. */
  get nextToken(): number {
    return this.#last + 1;
  }

  /** @param entry its token is `nextToken` */
  add(entry: Entry): void {
    this.#last = entry.token;
    if (this.#last - this.#first >= this.#slots.length) this.#grow();
    this.#slots[entry.token & (this.#slots.length - 1)] = entry;
    this.#size++;
  }

  get(token: number): Entry | undefined {
    const entry = this.#slots[token & (this.#slots.length - 1)];
    return entry?.token === token ? entry : undefined;
  }

  delete(token: number): void {
    if (!this.get(token)) return;
    this.#slots[token & (this.#slots.length - 1)] = undefined;
    this.#size--;
    while (this.#first <= this.#last && !this.get(this.#first)) this.#first++;
  }

  /** Oldest first; what is looked at may be deleted meanwhile. */
  *values(): Generator<Entry, void> {
    for (let token = this.#first; token <= this.#last; token++) {
      const entry = this.get(token);
      if (entry) yield entry;
    }
  }

  #grow(): void {
    const larger: (Entry | undefined)[] = Array.from({ length: this.#slots.length * 2 });
    for (const entry of this.#slots) if (entry) larger[entry.token & (larger.length - 1)] = entry;
    this.#slots = larger;
  }
}
