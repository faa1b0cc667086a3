import { randomUUID } from "node:crypto";
import type { KV } from "@nats-io/kv";
import type { BimrideError } from "../../core/errors.ts";
import type { Clock } from "../../core/time.ts";
import { isBucketMissing } from "../../nats/bucket-missing.ts";
import type { NatsLink } from "../../nats/link.ts";
import { LinkLoss } from "../../nats/link-loss.ts";
import {
  isPresent,
  type MemoryBucketOptions,
  openMemoryBucket,
  purgeIf,
  type WriteResult,
  writeIf,
} from "../../nats/memory-bucket.ts";
import { Outage } from "../../nats/outage.ts";
import { whileItBegins } from "../../nats/while-it-begins.ts";
import { generationOf } from "./generation.ts";
import { type LeaseView, memberKey, memberValue, partitionKey, partitionValue } from "./lease-view.ts";
import { LeaseWatch } from "./lease-watch.ts";
import { Renewals } from "./renewals.ts";
import { Term } from "./term.ts";

/** How long the marker of an ended membership is kept, so that whoever comes later need not wait for its partitions. */
const MARKER_TTL = "1h";

export type MembershipOptions = {
  link: NatsLink;
  bucket: MemoryBucketOptions;
  memberId: string;
  clock: Pick<Clock, "monotonic" | "after">;
  renewMs: number;
  /** How long after a renewal was sent it makes valid. */
  validMs: number;
  /** Own renewals that are not seen for so long: the others' would not be seen either. */
  maxGapMs: number;
  /** Partitions that this process holds or would like to go on with. */
  holds: () => readonly number[];
  /** The view or the membership changed. */
  changed: () => void;
  /** Told once per outage. */
  onError: (error: BimrideError) => void;
};

/**
 * This process as a member of the bucket, and what it sees of the others. Renews its key for ever, joins again under
 * another name when it was ended, and under the same name when the bucket lost its content.
 */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #loss = new LinkLoss();
  readonly #outage: Outage;
  readonly #watch: LeaseWatch;
  readonly #renewals: Renewals;
  #bucket: KV | undefined;
  #term: Term | undefined;
  #unwatchLink = () => {};

  constructor(options: MembershipOptions) {
    const { link, clock, renewMs, maxGapMs, changed } = options;
    this.#options = options;
    this.#outage = new Outage("The bucket of leases can't be used.", options.onError);
    const failed = (cause: unknown) => this.#outage.failed(cause);
    this.#watch = new LeaseWatch({ ...{ clock, maxGapMs, changed, failed }, loss: this.#loss });
    this.#renewals = new Renewals({
      ...{ clock, renewMs, renewed: changed },
      connected: () => link.connected,
      renew: () => this.#renew(),
    });
  }

  /** The present membership; undefined while there is none. */
  get term(): Term | undefined {
    return this.#term?.ended === false ? this.#term : undefined;
  }

  /** What is seen of the bucket; undefined before the first join. */
  get view(): LeaseView | undefined {
    return this.#watch.view;
  }

  /** Joins, and renews from then on. Rejects with an EngineError or the client's error; nothing is left then. */
  async open(): Promise<void> {
    this.#unwatchLink = this.#options.link.watch((connected) => {
      if (connected) this.#renewals.now();
      // The way is free then for the renewal that follows the return.
      else this.#loss.happened();
    });
    try {
      await whileItBegins(this.#options.clock, () => this.#join());
    } catch (error) {
      await this.leave();
      throw error;
    }
    this.#renewals.start();
  }

  /** Gives up the membership: what it owns is free at once. Never rejects; bounded by the servers' time to answer. */
  async leave(): Promise<void> {
    this.#watch.stop();
    await this.#renewals.stop();
    this.#unwatchLink();
    const term = this.term;
    if (!term) return;
    term.ended = true;
    if (!this.#bucket || !this.#options.link.connected) return;
    const key = memberKey(term.generation, term.member);
    const result = await this.#loss.written(purgeIf(this.#bucket, key, term.revision, MARKER_TTL));
    if (result.outcome === "unknown") this.#outage.failed(result.cause);
  }

  /** Writes who owns the partition, under the term's generation; an empty owner gives it back. */
  async writeOwner(
    term: Term,
    partition: number,
    owner: string,
    epoch: number,
    revision: number,
  ): Promise<WriteResult> {
    const key = partitionKey(term.generation, partition);
    const value = partitionValue(owner, epoch);
    const result = await this.#loss.written(writeIf(this.#bucket!, key, value, revision));
    if (result.outcome === "unknown") this.#outage.failed(result.cause);
    else if (result.outcome === "written") this.#watch.wrote({ key, value, revision: result.revision });
    return result;
  }

  /** Ends another membership that has been silent since the revision. */
  async end(member: string, revision: number): Promise<void> {
    if (!this.#term || !this.#bucket) return;
    const key = memberKey(this.#term.generation, member);
    const result = await this.#loss.written(purgeIf(this.#bucket, key, revision, MARKER_TTL));
    if (result.outcome === "written") this.#watch.wrote({ key, revision, value: undefined });
    else if (result.outcome === "unknown") this.#outage.failed(result.cause);
  }

  /** True when the servers have confirmed the membership. Never rejects. */
  async #renew(): Promise<boolean> {
    const { link, clock, validMs } = this.#options;
    try {
      if (!link.connected) throw new Error("there is no connection");
      const term = this.term;
      if (!term) await this.#join();
      else if (!(await this.#write(this.#bucket!, term))) await this.#resolve(term);
      this.#outage.over();
      if (clock.monotonic() - this.view!.echoAtMs > validMs)
        await this.#watch.begin(this.#bucket!, this.#term!);
      return true;
    } catch (cause) {
      this.#outage.failed(cause);
      return false;
    }
  }

  /** Writes the member's key. False when somebody must look what became of it. Throws when there is no answer. */
  async #write(bucket: KV, term: Term): Promise<boolean> {
    const { clock, holds, validMs } = this.#options;
    const sentAtMs = clock.monotonic();
    const key = memberKey(term.generation, term.member);
    const result = await this.#loss.written(writeIf(bucket, key, memberValue(holds()), term.revision));
    if (result.outcome === "written") {
      term.revision = result.revision;
      term.validUntilMs = Math.max(term.validUntilMs, sentAtMs + validMs);
      return true;
    }
    if (result.outcome === "unknown" && !isBucketMissing(result.cause)) throw result.cause;
    return false;
  }

  /** The key was not as expected, or the bucket is gone: a lost answer, the end of the membership, or a lost bucket. */
  async #resolve(term: Term): Promise<void> {
    const bucket = await this.#loss.orLost(openMemoryBucket(this.#options.link, this.#options.bucket));
    const generation = await this.#loss.orLost(generationOf(bucket));
    if (generation === term.generation) {
      const entry = await this.#loss.orLost(bucket.get(memberKey(generation, term.member)));
      if (isPresent(entry) && entry.revision >= term.revision) {
        // An earlier renewal got through without an answer, or the servers were between two leaders.
        term.revision = entry.revision;
        if (!(await this.#write(bucket, term))) throw new Error("the membership could not be renewed");
        return;
      }
      term.ended = true;
    }
    await this.#join();
  }

  async #join(): Promise<void> {
    const bucket = await this.#loss.orLost(openMemoryBucket(this.#options.link, this.#options.bucket));
    const generation = await this.#loss.orLost(generationOf(bucket));
    const name = this.term?.member ?? `${this.#options.memberId}-${randomUUID().slice(0, 8)}`;
    const term = new Term(generation, name);
    if (!(await this.#write(bucket, term))) {
      // An earlier try of the same may have got through without an answer.
      const entry = await this.#loss.orLost(bucket.get(memberKey(generation, name)));
      if (!isPresent(entry)) {
        if (this.#term) this.#term.ended = true;
        throw new Error("the membership was ended while it began");
      }
      term.revision = entry.revision;
      if (!(await this.#write(bucket, term))) throw new Error("the membership changed while it began");
    }
    this.#bucket = bucket;
    this.#term = term;
    await this.#watch.begin(bucket, term);
  }
}
