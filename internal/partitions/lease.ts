/**
 * PORT: who may write for a partition.
 *
 * Implementations must ensure
 * - at most one holder per partition believes in its lease at a time, as far as clocks allow; whoever lost it finds
 *   `valid()` false on its own monotonic clock before a successor can hold it;
 * - epochs: each grant's epoch is larger than every earlier one of the partition, also across restarts
 *   (max(previous + 1, wall clock in ms));
 * - a lease that is not valid for a while (the servers could not be reached) and then is again under the same epoch was
 *   nobody else's in between. Under another epoch it may have been: what is in memory is to be dropped and restored.
 */
export interface Leases {
  /**
   * Partitions that this process holds now, and again whenever that changes. A partition that goes to somebody else
   * while its owner is well (one joined, or this process ends) is missing from the list first; its lease stays valid
   * until the promise that `onChange` returned resolves (or handOverMs is over), so that the owner can store what is
   * open. A partition that was lost is not valid any more when the list without it comes. Calls do not overlap; one that
   * takes long is followed by the newest list, so that a partition may be in two lists that follow each other under two
   * epochs. Resolves when the first call has, and rejects when that does (it is not called again then); a later call
   * that fails changes nothing.
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
