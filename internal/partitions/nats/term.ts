/** One membership from joining until it ends. Valid as long as the servers have confirmed it recently. */
export class Term {
  readonly generation: string;
  /** Unique for ever: an ended membership never comes back under the same name. */
  readonly member: string;
  /** Of the member's key. */
  revision = 0;
  /** Until when leases under it are valid, on this process's monotonic clock. */
  validUntilMs = Number.NEGATIVE_INFINITY;
  /** Others ended it, or it was given up. */
  ended = false;

  constructor(generation: string, member: string) {
    this.generation = generation;
    this.member = member;
  }

  /** @param nowMs this process's monotonic clock */
  isValid(nowMs: number): boolean {
    return !this.ended && nowMs < this.validUntilMs;
  }
}
