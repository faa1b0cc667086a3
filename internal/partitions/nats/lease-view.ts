/** What the bucket says of one membership. */
export type MemberEntry = {
  revision: number;
  /** When this process saw the revision, on its own monotonic clock. */
  movedAtMs: number;
  /** Partitions that the member held when it wrote this. */
  holds: readonly number[];
};

/** What the bucket says of one partition. */
export type PartitionEntry = {
  revision: number;
  /** The membership that owns it; empty: given back. */
  owner: string;
  epoch: number;
};

/** One change of a key; no value: the key was removed. */
export type KeyChange = { key: string; revision: number; value: string | undefined };

const MEMBER = "member.";
const PARTITION = "partition.";
/** Most memberships known to have ended that nobody asks for; beyond, those that no partition names are forgotten. */
const MAX_ENDED = 1_000;

/** The key of a membership. */
export function memberKey(generation: string, member: string): string {
  return `${generation}.${MEMBER}${member}`;
}

/** The key of a partition. */
export function partitionKey(generation: string, partition: number): string {
  return `${generation}.${PARTITION}${partition}`;
}

/** The value of a membership's key. */
export function memberValue(holds: readonly number[]): string {
  return JSON.stringify({ holds });
}

/** The value of a partition's key. */
export function partitionValue(owner: string, epoch: number): string {
  return JSON.stringify({ owner, epoch });
}

export type LeaseViewOptions = {
  generation: string;
  /** This process's membership. */
  self: string;
  /** Revision of its key: the view is complete once that has come, because keys come in the order of revisions. */
  joinedRevision: number;
  /** When this process's own renewals were not seen for so long, nothing can be said of the others' in that time. */
  maxGapMs: number;
};

/**
 * What this process has seen of one generation of the bucket. It may lag behind: whoever acts on it does so by
 * compare-and-set on the revisions in it.
 */
export class LeaseView {
  readonly members = new Map<string, MemberEntry>();
  readonly partitions = new Map<number, PartitionEntry>();
  /** From when on it was complete, on this process's monotonic clock; undefined until then. */
  completeAtMs: number | undefined;
  /** When this process's own last renewal came, on its monotonic clock. */
  echoAtMs = Number.NEGATIVE_INFINITY;
  readonly #options: LeaseViewOptions;
  readonly #prefix: string;
  readonly #ended = new Set<string>();

  constructor(options: LeaseViewOptions) {
    this.#options = options;
    this.#prefix = `${options.generation}.`;
  }

  /** True while what others write would be seen: an observer that sees not even its own renewals judges nobody. */
  seesOthers(nowMs: number): boolean {
    return nowMs - this.echoAtMs <= this.#options.maxGapMs;
  }

  /** True for a membership that was seen to end: it never comes back. */
  hasEnded(member: string): boolean {
    return this.#ended.has(member);
  }

  /** Takes a change in. What is older than what is known of the key, or no key of ours, changes nothing. */
  apply({ key, revision, value }: KeyChange, nowMs: number): void {
    if (!key.startsWith(this.#prefix)) return;
    const name = key.slice(this.#prefix.length);
    if (name.startsWith(MEMBER)) this.#applyMember(name.slice(MEMBER.length), revision, value, nowMs);
    else if (name.startsWith(PARTITION))
      this.#applyPartition(Number(name.slice(PARTITION.length)), revision, value);
  }

  #applyMember(member: string, revision: number, value: string | undefined, nowMs: number): void {
    if (this.#ended.has(member)) return;
    if (value === undefined) {
      this.members.delete(member);
      this.#ended.add(member);
      if (this.#ended.size > MAX_ENDED) this.#forgetEnded();
      return;
    }
    const before = this.members.get(member);
    if (before && before.revision >= revision) return;
    this.members.set(member, { revision, movedAtMs: nowMs, holds: holdsOf(value) });
    if (member === this.#options.self) this.#echo(revision, nowMs);
  }

  #echo(revision: number, nowMs: number): void {
    if (!this.seesOthers(nowMs)) {
      // The servers or the way to them were away: others may not have had the chance to renew either.
      for (const entry of this.members.values()) entry.movedAtMs = nowMs;
    }
    this.echoAtMs = nowMs;
    if (revision >= this.#options.joinedRevision) this.completeAtMs ??= nowMs;
  }

  #applyPartition(partition: number, revision: number, value: string | undefined): void {
    const before = this.partitions.get(partition);
    if (before && before.revision >= revision) return;
    const entry = value === undefined ? undefined : ownerOf(value);
    if (entry) this.partitions.set(partition, { revision, ...entry });
  }

  #forgetEnded(): void {
    const named = new Set([...this.partitions.values()].map(({ owner }) => owner));
    for (const member of this.#ended) if (!named.has(member)) this.#ended.delete(member);
  }
}

function holdsOf(value: string): readonly number[] {
  const { holds } = parsed(value);
  return Array.isArray(holds) ? holds.filter((each) => Number.isSafeInteger(each)) : [];
}

function ownerOf(value: string): { owner: string; epoch: number } | undefined {
  const { owner, epoch } = parsed(value);
  return typeof owner === "string" && Number.isSafeInteger(epoch)
    ? { owner, epoch: Number(epoch) }
    : undefined;
}

/** The bucket is the servers' and others may write to it: what is not ours is as if it were not there. */
function parsed(value: string): Record<string, unknown> {
  try {
    const content: unknown = JSON.parse(value);
    return typeof content === "object" && content !== null ? (content as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
