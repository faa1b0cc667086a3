/**
 * PORT: who may write for a partition.
 *
 * Implementations must ensure
 * - at most one holder per partition believes in its lease at a time, as far as clocks allow; whoever lost it finds
 *   `valid()` false on its own monotonic clock before a successor can hold it;
 * - epochs: each grant's epoch is larger than every earlier one of the partition, also across restarts
 *   (max(previous + 1, wall clock in ms)).
 */
export interface Leases {
  /** Partitions that this process holds now, and again whenever that changes. */
  held(onChange: (leases: readonly Lease[]) => void): Promise<void>;
  /** Gives all leases back at once, so that nothing waits for a timeout. */
  [Symbol.asyncDispose](): Promise<void>;
}

export type Lease = {
  partition: number;
  epoch: number;
  /** Checked before every flush to a store. */
  valid(): boolean;
};
