/** One newer position of a partition, milliseconds since 1970. */
type Update = {
  /** When its owner had computed it. */
  processedAtMs: number;
  /** When it was read from the bus. */
  readAtMs: number;
};

/** When newer positions came, by partition: how long a partition was silent, and when all came back after a fault. */
export class UpdateTimes {
  readonly #updates: ReadonlyMap<number, Update[]>;

  constructor(partitions: Iterable<number>) {
    this.#updates = new Map([...partitions].map((partition) => [partition, []]));
  }

  add(partition: number, update: Update): void {
    this.#updates.get(partition)?.push(update);
  }

  /**
   * When the last of all partitions had the first update that was computed after that moment; undefined while one has
   * none. What was computed before, by somebody who is dead since, and was still under way does not count. It is never too
   * early: a partition that nothing happened to answers with its next fix.
   */
  allBackAtMs(sinceMs: number): number | undefined {
    let lastMs = sinceMs;
    for (const updates of this.#updates.values()) {
      const first = updates.find(({ processedAtMs }) => processedAtMs > sinceMs);
      if (!first) return undefined;
      lastMs = Math.max(lastMs, first.readAtMs);
    }
    return lastMs;
  }

  /** The longest time without an update of one partition in a stretch of time, milliseconds since 1970. */
  longestSilenceMs(fromMs: number, toMs: number): number {
    let longestMs = 0;
    for (const updates of this.#updates.values()) {
      let last = fromMs;
      const within = updates.map(({ readAtMs }) => readAtMs).filter((at) => at > fromMs && at < toMs);
      for (const at of [...within, toMs]) {
        longestMs = Math.max(longestMs, at - last);
        last = at;
      }
    }
    return longestMs;
  }
}
