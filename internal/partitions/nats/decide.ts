import { assignPartitions } from "./assign.ts";
import type { LeaseView, PartitionEntry } from "./lease-view.ts";

/** How a partition stands with this process. */
export type Holding = {
  standing: /** Claimed or confirmed under the present membership. */
    | "held"
    /** Of the same membership in a bucket that is gone, and valid without a break since. */
    | "carried"
    /** Of a membership that is over: not valid; what is in memory is worked on until somebody takes it. */
    | "suspended"
    /** On its way to somebody else. */
    | "leaving";
  epoch: number;
  /** Of the partition's key when this process wrote it. */
  revision: number;
};

/** One thing to do now. All writes are compare-and-set on the revision given; 0: the key must not exist. */
export type Action =
  /** A silent member is ended; its partitions are free then. */
  | { kind: "end"; member: string; revision: number }
  /** Take it, under an epoch larger than this one. */
  | { kind: "claim"; partition: number; revision: number; previousEpoch: number }
  /** Write down again, under the same epoch, what was held when the bucket was lost. */
  | { kind: "confirm"; partition: number; revision: number }
  /** Announce that it goes, wait for the listener, give it back. */
  | { kind: "handOver"; partition: number }
  /** Give back what the bucket says is ours although it is not (an answer was lost). */
  | { kind: "release"; partition: number; revision: number; epoch: number }
  /** Somebody else has it. */
  | { kind: "lost"; partition: number };

/** What a decision rests on. */
export type Situation = {
  /** The present membership. */
  self: string;
  view: LeaseView;
  partitions: number;
  /** How partitions stand with this process; those it has nothing to do with are missing. */
  holdings: ReadonlyMap<number, Holding>;
  /** This process's monotonic clock. */
  nowMs: number;
  silentMs: number;
};

/**
 * What to do now. The rules that keep a partition with one holder at most:
 * - A member that was silent for `silentMs` is ended by removing its key at the revision seen then. From before that on
 *   it is not valid by its own clock, and its next renewal fails, so it can't come back under that name.
 * - A partition is taken only when its owner gave it back or has ended, or when nobody that is known of owns it and the
 *   bucket was watched for `silentMs`: whoever held it before a loss of the bucket has written that down again by
 *   then, or is not valid any more.
 */
export function decide(situation: Situation): Action[] {
  const { self, view, partitions, holdings, nowMs, silentMs } = situation;
  if (view.completeAtMs === undefined || !view.members.has(self)) return [];
  const actions: Action[] = [];
  if (view.seesOthers(nowMs)) {
    for (const [member, { revision, movedAtMs }] of view.members)
      if (member !== self && nowMs - movedAtMs >= silentMs) actions.push({ kind: "end", member, revision });
  }
  const targets = targetsOf(view, partitions);
  for (let partition = 0; partition < partitions; partition++) {
    const mine = targets[partition] === self;
    const holding = holdings.get(partition);
    const action = holding
      ? ofHolding(situation, partition, mine, holding)
      : ofOther(situation, partition, mine);
    if (action) actions.push(action);
  }
  return actions;
}

/** When to decide again though nothing happens, on the same clock; undefined: not needed. */
export function nextDecisionMs({ self, view, nowMs, silentMs }: Situation): number | undefined {
  const dueMs = [...view.members].flatMap(([member, { movedAtMs }]) =>
    member === self ? [] : [movedAtMs + silentMs],
  );
  if (view.completeAtMs !== undefined) dueMs.push(view.completeAtMs + silentMs);
  const ahead = dueMs.filter((each) => each > nowMs);
  return ahead.length > 0 ? Math.min(...ahead) : undefined;
}

/** Who should own each partition. One whose owner is gone goes back to a member that says it holds it. */
function targetsOf(view: LeaseView, partitions: number): (string | undefined)[] {
  const owners = Array.from({ length: partitions }, (_, partition) => {
    const owner = view.partitions.get(partition)?.owner ?? "";
    return view.members.has(owner) ? owner : undefined;
  });
  for (const [member, { holds }] of [...view.members].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    for (const partition of holds) {
      const unowned = partition >= 0 && partition < partitions && owners[partition] === undefined;
      if (unowned && view.partitions.get(partition)?.owner !== "") owners[partition] = member;
    }
  }
  return assignPartitions(view.members.keys(), owners);
}

function ofHolding(
  situation: Situation,
  partition: number,
  mine: boolean,
  { standing, epoch, revision }: Holding,
): Action | undefined {
  if (standing === "leaving") return undefined;
  const { self, view } = situation;
  const entry = view.partitions.get(partition);
  const ours = entry?.owner === self && entry.epoch === epoch;
  if (standing === "held") {
    if (ours) return mine ? undefined : { kind: "handOver", partition };
    // A view that was just begun anew may lag behind what this process wrote.
    const taken = entry && (entry.revision > revision || isOthers(situation, entry));
    return taken ? { kind: "lost", partition } : undefined;
  }
  if (standing === "carried") {
    if (entry && !ours) return { kind: "lost", partition };
    return { kind: "confirm", partition, revision: entry?.revision ?? 0 };
  }
  if (entry && isOthers(situation, entry)) return { kind: "lost", partition };
  return mine && isFree(situation, entry) ? claimOf(partition, entry) : undefined;
}

function ofOther(situation: Situation, partition: number, mine: boolean): Action | undefined {
  const entry = situation.view.partitions.get(partition);
  if (mine) return isFree(situation, entry) ? claimOf(partition, entry) : undefined;
  if (entry?.owner !== situation.self) return undefined;
  return { kind: "release", partition, revision: entry.revision, epoch: entry.epoch };
}

function claimOf(partition: number, entry: PartitionEntry | undefined): Action {
  return { kind: "claim", partition, revision: entry?.revision ?? 0, previousEpoch: entry?.epoch ?? 0 };
}

function isOthers({ self, view }: Situation, entry: PartitionEntry): boolean {
  return entry.owner !== self && view.members.has(entry.owner);
}

function isFree({ self, view, nowMs, silentMs }: Situation, entry: PartitionEntry | undefined): boolean {
  if (entry && view.members.has(entry.owner)) return entry.owner === self;
  if (entry && (entry.owner === "" || view.hasEnded(entry.owner))) return true;
  return nowMs - view.completeAtMs! >= silentMs;
}
