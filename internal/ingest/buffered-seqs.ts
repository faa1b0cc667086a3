import { SeqIntervals } from "../core/seq-intervals.ts";

/** Who knows what became of a spooled record: the region's Appender. */
export type SpoolFates = { spooled(first: number, last: number): "waiting" | "drained" | "lost" };

type Group = { spool: SpoolFates; first: number; last: number; seqs: SeqIntervals };

const MAX_GROUPS = 64;

/**
 * The fixes of a session that wait in the gateway's spools, by the record that they went in. Bounded: of more than 64
 * records the newest of each region count as one, which is told as drained when the last of them is; of more intervals than may be the
 * lowest are forgotten, and a repeat of those is stored again, which readers of the log bear.
 */
export class BufferedSeqs {
  readonly #maxIntervals: number;
  /** In the order of their records. */
  #groups: Group[] = [];

  /** @param maxIntervals per group, at least 1 */
  constructor(maxIntervals: number) {
    this.#maxIntervals = maxIntervals;
  }

  get isEmpty(): boolean {
    return this.#groups.length === 0;
  }

  /** True while the fix is known to wait in the spool. */
  has(seq: number): boolean {
    return this.#groups.some(({ seqs }) => seqs.has(seq));
  }

  /** These fixes went into the spool with the record at the position. */
  add(spool: SpoolFates, position: number, seqs: readonly number[]): void {
    const isFull = this.#groups.length >= MAX_GROUPS;
    let group = isFull ? this.#groups.findLast((one) => one.spool === spool) : this.#groups.at(-1);
    if (!group || group.spool !== spool || !(isFull || group.last === position)) {
      group = { spool, first: position, last: position, seqs: new SeqIntervals(this.#maxIntervals) };
      this.#groups.push(group);
    }
    group.last = Math.max(group.last, position);
    for (const seq of seqs) group.seqs.add(seq);
  }

  /**
   * Moves what the log has by now over to the durable ones and returns those, rising within each record. What the disk
   * lost is forgotten: a repeat of it is taken as new.
   */
  settle(durable: SeqIntervals): number[] {
    const drained: number[] = [];
    if (this.#groups.length === 0) return drained;
    this.#groups = this.#groups.filter(({ spool, first, last, seqs }) => {
      const fate = spool.spooled(first, last);
      if (fate === "drained") for (const seq of each(seqs)) drained.push(seq);
      return fate === "waiting";
    });
    for (const seq of drained) durable.add(seq);
    return drained;
  }
}

function* each({ borders }: SeqIntervals): Generator<number> {
  for (let i = 0; i < borders.length; i += 2) {
    for (let seq = borders[i] as number; seq <= (borders[i + 1] as number); seq++) yield seq;
  }
}
