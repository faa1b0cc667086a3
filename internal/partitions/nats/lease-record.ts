import type { Lease } from "../lease.ts";

/** When a lease was seen to be valid, first and last, in ns of the machine's monotonic clock: the same in all processes. */
export type Seen = { partition: number; epoch: number; firstNs: bigint; lastNs: bigint };

/** Looks at every lease that was ever given out, all the time; for tests. */
export class LeaseRecord {
  readonly #leases = new Set<Lease>();
  readonly #seen = new Map<string, Seen>();
  readonly #timer: NodeJS.Timeout;

  constructor(periodMs = 2) {
    this.#timer = setInterval(() => this.look(), periodMs);
  }

  /** Adds leases to those it looks at. */
  add(leases: readonly Lease[]): void {
    for (const lease of leases) this.#leases.add(lease);
    this.look();
  }

  /** Looks once. Returns what is valid now. */
  look(): Lease[] {
    return [...this.#leases].filter((lease) => {
      const beforeNs = process.hrtime.bigint();
      const valid = lease.valid();
      const afterNs = process.hrtime.bigint();
      if (valid) this.merge({ ...lease, firstNs: afterNs, lastNs: beforeNs });
      return valid;
    });
  }

  /** Takes in what another record saw. */
  merge({ partition, epoch, firstNs, lastNs }: Seen): void {
    const key = `${partition} ${epoch}`;
    const before = this.#seen.get(key);
    if (!before) this.#seen.set(key, { partition, epoch, firstNs, lastNs });
    else if (lastNs > before.lastNs) before.lastNs = lastNs;
  }

  /** What was seen so far. */
  get seen(): Seen[] {
    return [...this.#seen.values()];
  }

  /** Partitions of which two leases were valid at once, or an older one after a newer one; must be none. */
  overlaps(): string[] {
    const faults: string[] = [];
    for (const [partition, all] of Map.groupBy(this.seen, (each) => each.partition)) {
      const inOrder = all.toSorted((a, b) => a.epoch - b.epoch);
      for (const [i, later] of inOrder.entries()) {
        const earlier = inOrder[i - 1];
        if (earlier && earlier.lastNs >= later.firstNs)
          faults.push(`${partition}: ${earlier.epoch} valid until after ${later.epoch} began`);
      }
    }
    return faults;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
