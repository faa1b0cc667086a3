import type { Limits } from "../../core/limits.ts";
import { sleep } from "../../core/time.ts";
import { checkMemoryBucket, type MemoryBucketOptions } from "../../nats/memory-bucket.ts";
import type { NatsRegistryOptions } from "../../nats/registry-options.ts";
import { startProblem } from "../../nats/start-problem.ts";
import type { Lease, Leases } from "../lease.ts";
import { Announcer, type LeaseListener } from "./announcer.ts";
import { type Action, decide, nextDecisionMs, type Situation } from "./decide.ts";
import { Grant } from "./grant.ts";
import { Membership } from "./membership.ts";
import type { Term } from "./term.ts";

/** `onError` is told of what a listener threw, too. */
export type NatsLeasesOptions = NatsRegistryOptions & {
  partitions: number;
  /** Names this process, for people; every membership gets a name of its own. */
  memberId: string;
  limits: Pick<Limits, "memberRenewMs" | "memberSilentMs" | "handOverMs">;
};

/** Keys of partitions and members are some hundred bytes each; markers of ended memberships go after an hour. */
const MAX_BUCKET_BYTES = 8 << 20;

/**
 * Opens the leases of a region: every process that does is a member and gets its share of the partitions. They live in a
 * key-value bucket in the servers' memory: a loss of it ends no lease that is valid. Rejects with an EngineError when the
 * bucket can't be had (`nats.replicas`, `nats.servers`).
 */
export async function openNatsLeases(options: NatsLeasesOptions): Promise<Leases> {
  const leases = new NatsLeases(options);
  await leases.open();
  return leases;
}

/** Rejects as {@link openNatsLeases} does where the bucket is there and was made otherwise; makes nothing. */
export function checkNatsLeases(options: BucketOwner): Promise<void> {
  return checkMemoryBucket(options.link, bucketOf(options));
}

type BucketOwner = Pick<NatsLeasesOptions, "link" | "region" | "replicas" | "prefix" | "limits">;

function bucketOf({ prefix = "", region, replicas, limits }: BucketOwner): MemoryBucketOptions {
  return {
    name: `${prefix}LEASES_${region}`,
    replicas,
    maxBytes: MAX_BUCKET_BYTES,
    maxAgeMs: 0,
    agingMarkers: true,
    requestMs: limits.memberSilentMs / 2,
  };
}

class NatsLeases implements Leases {
  readonly #options: NatsLeasesOptions;
  readonly #membership: Membership;
  readonly #announcer: Announcer;
  readonly #grants = new Map<number, Grant>();
  /** Largest epoch seen per partition, which a lost bucket forgets. */
  readonly #epochs = new Map<number, number>();
  readonly #handOvers = new Set<Promise<void>>();
  readonly #bucket: MemoryBucketOptions;
  #underWay: Promise<void> | undefined;
  #again = false;
  #cancelTimer = () => {};
  #closing: Promise<void> | undefined;

  constructor(options: NatsLeasesOptions) {
    const { link, memberId, clock, limits, onError } = options;
    const { memberRenewMs, memberSilentMs } = limits;
    this.#options = options;
    this.#bucket = bucketOf(options);
    this.#announcer = new Announcer(() => this.#current(), onError);
    this.#membership = new Membership({
      ...{ link, clock, onError },
      bucket: this.#bucket,
      memberId: memberId.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 64),
      renewMs: memberRenewMs,
      // Over before anybody can have taken it: others count from when they saw the renewal, this from when it was sent.
      validMs: memberSilentMs - memberRenewMs / 2,
      maxGapMs: memberSilentMs / 2,
      holds: () => [...this.#grants.keys()],
      changed: () => this.#decideSoon(),
    });
  }

  async open(): Promise<void> {
    try {
      await this.#membership.open();
    } catch (cause) {
      throw startProblem(`the bucket ${this.#bucket.name}`, cause);
    }
  }

  held(onChange: LeaseListener): Promise<void> {
    return this.#announcer.add(onChange);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#cancelTimer();
    await this.#underWay;
    for (const grant of this.#grants.values()) grant.leaving = true;
    await Promise.all([this.#told(), ...this.#handOvers]);
    for (const grant of this.#grants.values()) grant.end();
    this.#grants.clear();
    await this.#membership.leave();
  }

  #current(): Lease[] {
    return [...this.#grants.values()].filter(({ leaving }) => !leaving).map(({ lease }) => lease);
  }

  /** Resolves when the listeners have dealt with the present list, or handOverMs are over. */
  async #told(): Promise<void> {
    const { clock, limits } = this.#options;
    const late = new AbortController();
    await Promise.race([this.#announcer.tell(), sleep(clock, limits.handOverMs, late.signal)]);
    late.abort();
  }

  #decideSoon(): void {
    this.#again = true;
    if (this.#closing || this.#underWay) return;
    this.#underWay = this.#decideWhileNeeded().finally(() => {
      this.#underWay = undefined;
    });
  }

  async #decideWhileNeeded(): Promise<void> {
    while (this.#again && !this.#closing) {
      this.#again = false;
      const { term } = this.#membership;
      const situation = term && this.#situation(term);
      if (!situation) return;
      this.#remember(situation);
      this.#wakeAt(nextDecisionMs(situation), situation.nowMs);
      const actions = decide(situation);
      if (actions.length > 0) await this.#act(term, actions);
    }
  }

  #situation(term: Term): Situation | undefined {
    const { clock, limits, partitions } = this.#options;
    const { view } = this.#membership;
    if (!view) return undefined;
    const holdings = new Map([...this.#grants].map(([key, grant]) => [key, grant.holding(term)]));
    const nowMs = clock.monotonic();
    return { self: term.member, view, partitions, holdings, nowMs, silentMs: limits.memberSilentMs };
  }

  #remember({ view }: Situation): void {
    for (const [partition, { epoch }] of view.partitions)
      this.#epochs.set(partition, Math.max(epoch, this.#epochs.get(partition) ?? 0));
  }

  #wakeAt(dueMs: number | undefined, nowMs: number): void {
    this.#cancelTimer();
    if (dueMs === undefined) return;
    this.#cancelTimer = this.#options.clock.after(Math.ceil(dueMs - nowMs), () => this.#decideSoon());
  }

  async #act(term: Term, actions: readonly Action[]): Promise<void> {
    const going: Grant[] = [];
    const writes: Promise<void>[] = [];
    let before = this.#current();
    for (const action of actions) {
      if (action.kind === "lost") this.#drop(action.partition);
      else if (action.kind === "handOver") going.push(this.#grants.get(action.partition)!);
      else writes.push(this.#write(term, action));
    }
    if (going.length > 0) {
      for (const grant of going) grant.leaving = true;
      this.#handOver(term, going);
      before = this.#current();
    }
    await Promise.all(writes);
    const after = this.#current();
    const changed = before.length !== after.length || before.some((lease, i) => lease !== after[i]);
    if (changed) void this.#announcer.tell();
  }

  #drop(partition: number): void {
    this.#grants.get(partition)?.end();
    this.#grants.delete(partition);
  }

  async #write(term: Term, action: Exclude<Action, { kind: "lost" } | { kind: "handOver" }>): Promise<void> {
    if (action.kind === "end") return this.#membership.end(action.member, action.revision);
    if (action.kind === "claim") return this.#claim(term, action);
    if (action.kind === "confirm") return this.#confirm(term, action);
    const { partition, epoch, revision } = action;
    await this.#membership.writeOwner(term, partition, "", epoch, revision);
  }

  async #claim(term: Term, action: Extract<Action, { kind: "claim" }>): Promise<void> {
    const { partition, revision, previousEpoch } = action;
    const previous = Math.max(previousEpoch, this.#epochs.get(partition) ?? 0);
    const epoch = Math.max(previous + 1, Math.floor(this.#options.clock.now()));
    this.#epochs.set(partition, epoch);
    const result = await this.#membership.writeOwner(term, partition, term.member, epoch, revision);
    if (result.outcome !== "written" || term.ended) return;
    this.#drop(partition);
    this.#grants.set(partition, new Grant(partition, epoch, result.revision, term, this.#options.clock));
  }

  async #confirm(term: Term, { partition, revision }: Extract<Action, { kind: "confirm" }>): Promise<void> {
    const grant = this.#grants.get(partition)!;
    const { epoch } = grant.lease;
    const result = await this.#membership.writeOwner(term, partition, term.member, epoch, revision);
    if (result.outcome !== "written") return;
    grant.revision = result.revision;
    grant.term = term;
  }

  #handOver(term: Term, going: readonly Grant[]): void {
    const handing = this.#told().then(async () => {
      for (const grant of going) grant.end();
      await Promise.all(
        going.map(async ({ lease, revision }) => {
          if (!term.ended)
            await this.#membership.writeOwner(term, lease.partition, "", lease.epoch, revision);
          this.#grants.delete(lease.partition);
        }),
      );
      this.#handOvers.delete(handing);
      this.#decideSoon();
    });
    this.#handOvers.add(handing);
  }
}
