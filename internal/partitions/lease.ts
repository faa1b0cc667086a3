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
  /**
   * Partitions that this process holds now, and again whenever that changes. A partition that goes to somebody else
   * while its owner is well (one joined, or this process ends) is missing from the list first; its lease stays valid
   * until the promise that `onChange` returned resolves (or handOverMs is over), so that the owner can store what is
   * open. A partition that was lost is not valid any more when the list without it comes.
   */
  held(onChange: (leases: readonly Lease[]) => void | Promise<void>): Promise<void>;
  /** Gives all leases back at once, so that nothing waits for a timeout. */
  [Symbol.asyncDispose](): Promise<void>;
}

export type Lease = {
  partition: number;
  epoch: number;
  /** Checked before every flush to a store. */
  valid(): boolean;
};
