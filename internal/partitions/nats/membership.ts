import { randomUUID } from "node:crypto";
import { JetStreamApiCodes, JetStreamApiError } from "@nats-io/jetstream";
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
import { Term } from "./term.ts";

/** How long the marker of an ended membership is kept, so that whoever comes later need not wait for its partitions. */
const MARKER_TTL = "1h";
/** Key of the nonce that is part of every other key: a bucket that lost its content gets another one. */
const GENERATION_KEY = "generation";
/** Wait after a renewal that failed. */
const RETRY_MS = 100;

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
  #bucket: KV | undefined;
  #term: Term | undefined;
  #view: LeaseView | undefined;
  #stopWatch: (() => void) | undefined;
  #underWay: Promise<void> | undefined;
  #cancelNext = () => {};
  #unwatchLink = () => {};
  #linkLost = lostLink();
  #failing = false;
  #left = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** The present membership; undefined while there is none. */
  get term(): Term | undefined {
    return this.#term?.ended === false ? this.#term : undefined;
  }

  /** What is seen of the bucket; undefined before the first join. */
  get view(): LeaseView | undefined {
    return this.#view;
  }

  /** Joins, and renews from then on. Rejects with an EngineError or the client's error; nothing is left then. */
  async open(): Promise<void> {
    const { link, renewMs } = this.#options;
    this.#unwatchLink = link.watch((connected) => this.#linkChanged(connected));
    try {
      await this.#join();
    } catch (error) {
      await this.leave();
      throw error;
    }
    this.#schedule(renewMs);
  }

  /** Gives up the membership: what it owns is free at once. Never rejects; bounded by the servers' time to answer. */
  async leave(): Promise<void> {
    this.#left = true;
    this.#cancelNext();
    await this.#underWay;
    this.#unwatchLink();
    this.#stopWatch?.();
    const term = this.term;
    if (!term) return;
    term.ended = true;
    if (!this.#bucket || !this.#options.link.connected) return;
    const key = memberKey(term.generation, term.member);
    const result = await this.#written(purgeIf(this.#bucket, key, term.revision, MARKER_TTL));
    if (result.outcome === "unknown") this.#failed(result.cause);
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
    const result = await this.#written(writeIf(this.#bucket!, key, value, revision));
    if (result.outcome === "unknown") this.#failed(result.cause);
    else if (result.outcome === "written")
      this.#view?.apply({ key, value, revision: result.revision }, this.#options.clock.monotonic());
    return result;
  }

  /** Ends another membership that has been silent since the revision. */
  async end(member: string, revision: number): Promise<void> {
    if (!this.#term || !this.#bucket) return;
    const key = memberKey(this.#term.generation, member);
    const result = await this.#written(purgeIf(this.#bucket, key, revision, MARKER_TTL));
    if (result.outcome === "written")
      this.#view?.apply({ key, revision, value: undefined }, this.#options.clock.monotonic());
    else if (result.outcome === "unknown") this.#failed(result.cause);
  }

  #schedule(delayMs: number): void {
    this.#cancelNext();
    if (!this.#left) this.#cancelNext = this.#options.clock.after(delayMs, () => this.#turn());
  }

  /** One renewal now, unless one is under way; the next one after it. */
  #turn(): void {
    if (this.#underWay || this.#left) return;
    const { clock, link, renewMs, changed } = this.#options;
    const startedMs = clock.monotonic();
    this.#underWay = this.#renew().then((well) => {
      this.#underWay = undefined;
      const spentMs = clock.monotonic() - startedMs;
      if (well) this.#schedule(Math.max(0, renewMs - spentMs));
      else if (link.connected) this.#schedule(RETRY_MS);
      else this.#schedule(renewMs);
      changed();
    });
  }

  #linkChanged(connected: boolean): void {
    if (connected) {
      this.#turn();
      return;
    }
    // What is under way gets no answer any more: the way is free for the renewal that follows the return.
    const lost = this.#linkLost;
    this.#linkLost = lostLink();
    lost.reject(new Error("the connection was lost"));
  }

  /** True when the servers have confirmed the membership. Never rejects. */
  async #renew(): Promise<boolean> {
    const { link, clock, validMs } = this.#options;
    try {
      if (!link.connected) throw new Error("there is no connection");
      const term = this.term;
      if (!term) await this.#join();
      else if (!(await this.#write(this.#bucket!, term))) await this.#resolve(term);
      const now = this.#term!;
      this.#failing = false;
      if (clock.monotonic() - this.#view!.echoAtMs > validMs) await this.#watch(this.#bucket!, now);
      return true;
    } catch (cause) {
      this.#failed(cause);
      return false;
    }
  }

  /** Writes the member's key. False when somebody must look what became of it. Throws when there is no answer. */
  async #write(bucket: KV, term: Term): Promise<boolean> {
    const { clock, holds, validMs } = this.#options;
    const sentAtMs = clock.monotonic();
    const key = memberKey(term.generation, term.member);
    const result = await this.#written(writeIf(bucket, key, memberValue(holds()), term.revision));
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
    const bucket = await this.#orLost(openMemoryBucket(this.#options.link, this.#options.bucket));
    const generation = await this.#orLost(generationOf(bucket));
    if (generation === term.generation) {
      const entry = await this.#orLost(bucket.get(memberKey(generation, term.member)));
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
    const bucket = await this.#orLost(openMemoryBucket(this.#options.link, this.#options.bucket));
    const generation = await this.#orLost(generationOf(bucket));
    const name = this.term?.member ?? `${this.#options.memberId}-${randomUUID().slice(0, 8)}`;
    const term = new Term(generation, name);
    if (!(await this.#write(bucket, term))) {
      // An earlier try of the same may have got through without an answer.
      const entry = await this.#orLost(bucket.get(memberKey(generation, name)));
      if (!isPresent(entry)) {
        if (this.#term) this.#term.ended = true;
        throw new Error("the membership was ended while it began");
      }
      term.revision = entry.revision;
      if (!(await this.#write(bucket, term))) throw new Error("the membership changed while it began");
    }
    this.#bucket = bucket;
    this.#term = term;
    await this.#watch(bucket, term);
  }

  async #watch(bucket: KV, term: Term): Promise<void> {
    const { clock, changed, maxGapMs } = this.#options;
    this.#stopWatch?.();
    const { generation, member: self, revision: joinedRevision } = term;
    const view = new LeaseView({ generation, self, joinedRevision, maxGapMs });
    view.echoAtMs = clock.monotonic();
    this.#view = view;
    const watching = bucket.watch({ key: `${generation}.>` });
    const entries = await this.#orLost(watching).catch((cause) => {
      // Should it begin after all, nobody listens.
      void watching.then((late) => late.stop()).catch(() => {});
      throw cause;
    });
    if (this.#view !== view || this.#left) return entries.stop();
    this.#stopWatch = () => entries.stop();
    void (async () => {
      for await (const { key, revision, operation, value } of entries) {
        if (this.#view !== view) break;
        const text = operation === "PUT" ? Buffer.from(value).toString() : undefined;
        view.apply({ key, revision, value: text }, clock.monotonic());
        changed();
      }
    })().catch((cause) => this.#failed(cause));
  }

  /** The answer, or a rejection as soon as the connection is lost. */
  #orLost<T>(asked: Promise<T>): Promise<T> {
    return Promise.race([asked, this.#linkLost.promise]);
  }

  async #written(writing: Promise<WriteResult>): Promise<WriteResult> {
    try {
      return await this.#orLost(writing);
    } catch (cause) {
      return { outcome: "unknown", cause };
    }
  }

  #failed(cause: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#options.onError(
      new BimrideError("STORE_UNAVAILABLE", "The bucket of leases can't be used.", { cause }),
    );
  }
}

/** Rejected when the connection is lost. */
function lostLink(): PromiseWithResolvers<never> {
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => {}); // often nobody waits for it
  return lost;
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
  return error instanceof JetStreamApiError
    ? error.code === JetStreamApiCodes.StreamNotFound
    : error instanceof Error && error.name === "JetStreamNotEnabled";
}
