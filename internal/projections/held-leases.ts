import type { Lease } from "../partitions/lease.ts";
import type { Projection } from "./projection.ts";

/** The leases that a processor's projections write under: follows what {@link Leases.held} tells. */
export class HeldLeases {
  readonly #leases = new Map<number, Lease>();

  /** The lease that the partition is worked on under; one that is given away keeps it until it is stored. */
  readonly lease = (partition: number): Lease | undefined => this.#leases.get(partition);

  /** The partitions that are missing from the list although their leases are valid: they go to somebody else. */
  givenAway(now: readonly Lease[]): number[] {
    const kept = new Set(now.map(({ partition }) => partition));
    return [...this.#leases.values()]
      .filter((lease) => !kept.has(lease.partition) && lease.valid())
      .map(({ partition }) => partition);
  }

  /**
   * Lets go of what is not in the list, then takes what is new in it. A partition that comes back under another epoch may
   * have been somebody else's in between: what is in memory is dropped, under the old lease, and restored. Rejects when a
   * projection could not take all at once; it goes on trying by itself.
   */
  async follow(now: readonly Lease[], projections: readonly Pick<Projection, "own">[]): Promise<void> {
    const kept = now.filter(({ partition, epoch }) => this.#leases.get(partition)?.epoch === epoch);
    const numbers = (leases: readonly Lease[]) => leases.map(({ partition }) => partition);
    const own = async (partitions: readonly number[]) => {
      const outcomes = await Promise.allSettled(projections.map((each) => each.own(partitions)));
      return outcomes.find((outcome) => outcome.status === "rejected");
    };
    let failed: PromiseRejectedResult | undefined;
    if (kept.length < this.#leases.size) {
      failed = await own(numbers(kept));
      const left = new Set(numbers(kept));
      for (const partition of this.#leases.keys()) if (!left.has(partition)) this.#leases.delete(partition);
    }
    for (const each of now) this.#leases.set(each.partition, each);
    if (kept.length < now.length) failed = await own(numbers(now));
    if (failed) throw failed.reason;
  }
}
