import { randomUUID } from "node:crypto";
import { jserrors } from "@nats-io/jetstream";
import type { KV } from "@nats-io/kv";
import { BimrideError } from "../../core/errors.ts";
import type { Clock } from "../../core/time.ts";
import type { NatsLink } from "../../nats/link.ts";
import {
  isPresent,
  type MemoryBucketOptions,
  openMemoryBucket,
  purgeIf,
  type WriteResult,
  writeIf,
} from "../../nats/memory-bucket.ts";
import { LeaseView, memberKey, memberValue, partitionKey, partitionValue } from "./lease-view.ts";

/** How long the marker of an ended membership is kept, so that whoever comes later need not wait for its partitions. */
const MARKER_TTL = "1h";
/** Key of the nonce that is part of every other key: a bucket that lost its content gets another one. */
const GENERATION_KEY = "generation";

/** One membership from joining until it ends. Valid as long as the servers have confirmed it recently. */
export class Term {
  readonly generation: string;
  /** Unique for ever: an ended membership never comes back under the same name. */
  readonly member: string;
  /** Of the member's key. */
  revision = 0;
  /** Until when leases under it are valid, on this process's monotonic clock. */
  validUntilMs = Number.NEGATIVE_INFINITY;
  /** Others ended it. */
  ended = false;

  constructor(generation: string, member: string) {
    this.generation = generation;
    this.member = member;
  }
}

export type MembershipOptions = {
  link: NatsLink;
  bucket: MemoryBucketOptions;
  memberId: string;
  clock: Pick<Clock, "monotonic">;
  /** How long after a renewal was sent it makes valid. */
  validMs: number;
  /** Partitions that this process holds or would like to go on with. */
  holds: () => readonly number[];
  /** The view or the membership changed. */
  changed: () => void;
  onError: (error: BimrideError) => void;
};

/** This process as a member of the bucket, and what it sees of the others. */
export class Membership {
  readonly #options: MembershipOptions;
  #bucket: KV | undefined;
  #term: Term | undefined;
  #view = new LeaseView("");
  #stopWatch: (() => void) | undefined;
  #echoAtMs = 0;
  #renewing: Promise<void> | undefined;
  #failing = false;
  #left = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** The present membership; undefined while there is none. */
  get term(): Term | undefined {
    return this.#term?.ended === false ? this.#term : undefined;
  }

  /** What is seen of the bucket. */
  get view(): LeaseView {
    return this.#view;
  }

  /** Joins for the first time. Rejects with an EngineError or the client's error. */
  async open(): Promise<void> {
    await this.#join();
  }

  /** Shows that this process lives, joins again where that is needed; never rejects. Calls do not overlap. */
  renew(): Promise<void> {
    this.#renewing ??= this.#renewOnce().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  /** Starts to watch anew, e.g. because the connection was lost in between. */
  async watchAgain(): Promise<void> {
    if (this.#term && this.#bucket && !this.#left) await this.#watch(this.#bucket, this.#term);
  }

  /** Gives up the membership: what it owns is free at once. Never rejects. */
  async leave(): Promise<void> {
    this.#left = true;
    await this.#renewing;
    const term = this.term;
    if (term && this.#bucket) {
      const result = await purgeIf(
        this.#bucket,
        memberKey(term.generation, term.member),
        term.revision,
        MARKER_TTL,
      );
      if (result.outcome === "unknown") this.#failed(result.cause);
      term.ended = true;
    }
    this.#stopWatch?.();
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
    const result = await writeIf(this.#bucket!, key, value, revision);
    if (result.outcome === "unknown") this.#failed(result.cause);
    if (result.outcome === "written" && term.generation === this.#term?.generation)
      this.#view.apply({ key, value, revision: result.revision }, this.#options.clock.monotonic());
    return result;
  }

  /** Ends another membership that has been silent since the revision. */
  async end(member: string, revision: number): Promise<void> {
    if (!this.#term || !this.#bucket) return;
    const key = memberKey(this.#term.generation, member);
    const result = await purgeIf(this.#bucket, key, revision, MARKER_TTL);
    if (result.outcome === "written")
      this.#view.apply({ key, revision, value: undefined }, this.#options.clock.monotonic());
    else if (result.outcome === "unknown") this.#failed(result.cause);
  }

  async #renewOnce(): Promise<void> {
    if (this.#left) return;
    try {
      const term = this.term;
      if (!term) await this.#join();
      else if (!(await this.#write(term))) await this.#resolve(term);
      this.#failing = false;
      if (this.#options.clock.monotonic() - this.#echoAtMs > this.#options.validMs) await this.watchAgain();
    } catch (cause) {
      this.#failed(cause);
    }
  }

  /** Writes the member's key. False when somebody must look what became of it. Throws when there is no answer. */
  async #write(term: Term): Promise<boolean> {
    const { clock, holds, validMs } = this.#options;
    const sentAtMs = clock.monotonic();
    const key = memberKey(term.generation, term.member);
    const result = await writeIf(this.#bucket!, key, memberValue(holds()), term.revision);
    if (result.outcome === "written") {
      term.revision = result.revision;
      term.validUntilMs = Math.max(term.validUntilMs, sentAtMs + validMs);
      return true;
    }
    if (result.outcome === "unknown" && !isMissing(result.cause)) throw result.cause;
    return false;
  }

  /** The key was not as expected, or the bucket is gone: a lost answer, the end of the membership, or a lost bucket. */
  async #resolve(term: Term): Promise<void> {
    const bucket = await openMemoryBucket(this.#options.link, this.#options.bucket);
    const generation = await generationOf(bucket);
    if (generation === term.generation) {
      const entry = await bucket.get(memberKey(generation, term.member));
      if (isPresent(entry) && entry.revision >= term.revision) {
        term.revision = entry.revision;
        await this.#write(term);
        return;
      }
      term.ended = true;
    }
    await this.#join();
  }

  async #join(): Promise<void> {
    const bucket = await openMemoryBucket(this.#options.link, this.#options.bucket);
    const generation = await generationOf(bucket);
    const name = this.term?.member ?? `${this.#options.memberId}-${randomUUID().slice(0, 8)}`;
    const term = new Term(generation, name);
    this.#bucket = bucket;
    if (!(await this.#write(term))) {
      // An earlier try of the same may have got through without an answer.
      const entry = await bucket.get(memberKey(generation, name));
      if (!isPresent(entry)) {
        if (this.#term) this.#term.ended = true;
        throw new Error("the membership was ended while it began");
      }
      term.revision = entry.revision;
      if (!(await this.#write(term))) throw new Error("the membership changed hands");
    }
    this.#term = term;
    await this.#watch(bucket, term);
  }

  async #watch(bucket: KV, term: Term): Promise<void> {
    const { clock, changed } = this.#options;
    this.#stopWatch?.();
    const view = new LeaseView(term.generation);
    this.#view = view;
    this.#echoAtMs = clock.monotonic();
    const entries = await bucket.watch({ key: `${term.generation}.>` });
    if (this.#view !== view) return entries.stop();
    this.#stopWatch = () => entries.stop();
    const ownKey = memberKey(term.generation, term.member);
    void (async () => {
      for await (const { key, revision, operation, value } of entries) {
        if (this.#view !== view) break;
        const nowMs = clock.monotonic();
        const text = operation === "PUT" ? Buffer.from(value).toString() : undefined;
        view.apply({ key, revision, value: text }, nowMs);
        if (key === ownKey) {
          this.#echoAtMs = nowMs;
          // Keys come in the order of their revisions: what was there before this one has come.
          if (revision >= term.revision) view.completeAtMs ??= nowMs;
        }
        changed();
      }
    })().catch((cause) => this.#failed(cause));
  }

  /** Told once per outage. */
  #failed(cause: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#options.onError(
      new BimrideError("STORE_UNAVAILABLE", "The bucket of leases can't be used.", { cause }),
    );
  }
}

async function generationOf(bucket: KV): Promise<string> {
  const entry = await bucket.get(GENERATION_KEY);
  if (isPresent(entry)) return entry.string();
  const nonce = randomUUID().slice(0, 8);
  const result = await writeIf(bucket, GENERATION_KEY, nonce, 0);
  if (result.outcome === "written") return nonce;
  if (result.outcome === "unknown") throw result.cause;
  const winner = await bucket.get(GENERATION_KEY);
  if (!isPresent(winner)) throw new Error("the bucket's generation is gone again");
  return winner.string();
}

/** The stream of the bucket does not exist, or nobody answers for it. */
function isMissing(error: unknown): boolean {
  return error instanceof jserrors.StreamNotFoundError || error instanceof jserrors.JetStreamNotEnabled;
}
