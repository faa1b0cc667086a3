import type { KV, KvWatchEntry } from "@nats-io/kv";
import { nuid } from "@nats-io/transport-node";
import { asBimrideError, BimrideError } from "../../core/errors.ts";
import type { Limits } from "../../core/limits.ts";
import type { Clock } from "../../core/time.ts";
import { systemClock } from "../../core/time.ts";
import { BucketWatch } from "../../nats/bucket-watch.ts";
import type { NatsLink } from "../../nats/link.ts";
import { Outage } from "../../nats/outage.ts";
import { startProblem } from "../../nats/start-problem.ts";
import { whileItBegins } from "../../nats/while-it-begins.ts";
import { RevocationView } from "../revocation-view.ts";
import { parseRevocation, type Revocation, type Revocations } from "../revocations.ts";
import {
  checkRevocationBucket,
  openRevocationBucket,
  type RevocationBucketOptions,
} from "./revocation-bucket.ts";

export type NatsRevocationsOptions = {
  /** Stays its owner's: the registry does not close it. */
  link: NatsLink;
  region: string;
  /** Servers of the cluster that hold a copy. */
  replicas: number;
  /** The clock of the tokens. */
  clock: Pick<Clock, "now">;
  /** Time of waits. */
  ioClock?: Clock;
  limits: Pick<Limits, "maxRevocations">;
  /** Told once per outage that the bucket can't be used, and what a listener threw. */
  onError: (error: unknown) => void;
  /** In front of the bucket's name; for tests. Letters, digits and `_` only. */
  prefix?: string;
};

/** Longest wait for an answer of the server. */
const REQUEST_MS = 2_000;
/** The bucket is looked at so often, and watched anew when it is another one or more of it is stored than was heard. */
const CHECK_PERIOD_MS = 2_000;

/**
 * Revocations in a key-value bucket `revocations_<region>` on the servers' disks: an entry each, under a name of its own,
 * which leaves the bucket when its time is over. Every process watches all of it. Rejects when the bucket can't be had.
 */
export async function openNatsRevocations(options: NatsRevocationsOptions): Promise<Revocations> {
  const revocations = new NatsRevocations(options);
  await revocations.open();
  return revocations;
}

type BucketOwner = Pick<NatsRevocationsOptions, "link" | "region" | "replicas" | "prefix">;

/** Rejects as {@link openNatsRevocations} does where the bucket is there and was made otherwise; makes nothing. */
export function checkNatsRevocations(options: BucketOwner): Promise<void> {
  return checkRevocationBucket(bucketOf(options));
}

function bucketOf({ link, prefix = "", region, replicas }: BucketOwner): RevocationBucketOptions {
  return { link, name: `${prefix}revocations_${region}`, replicas, requestMs: REQUEST_MS };
}

class NatsRevocations implements Revocations {
  readonly #options: NatsRevocationsOptions;
  readonly #ioClock: Clock;
  readonly #bucketOptions: RevocationBucketOptions;
  readonly #view: RevocationView;
  readonly #watch = new BucketWatch();
  readonly #outage: Outage;
  #bucket: KV | undefined;
  #heardRevision = 0;
  #madeAt = "";
  #checking: Promise<void> | undefined;
  #stops: (() => void)[] = [];
  #closed = false;

  constructor(options: NatsRevocationsOptions) {
    this.#options = options;
    this.#ioClock = options.ioClock ?? systemClock;
    this.#bucketOptions = bucketOf(options);
    this.#view = new RevocationView(options.clock, options.limits, options.onError);
    this.#outage = new Outage("The registry of revocations can't be used.", options.onError);
  }

  async open(): Promise<void> {
    try {
      await whileItBegins(this.#ioClock, () => this.#begin());
    } catch (cause) {
      throw startProblem(`the bucket ${this.#bucketOptions.name}`, cause);
    }
    this.#stops = [
      this.#ioClock.every(CHECK_PERIOD_MS, () => void this.#check()),
      this.#options.link.watch((connected) => {
        if (connected) void this.#check();
      }),
    ];
  }

  async revoke(revocation: Revocation): Promise<void> {
    this.#view.checkRoom();
    const forMs = revocation.untilMs - this.#options.clock.now();
    if (forMs <= 0) return;
    try {
      if (!this.#bucket || !this.#options.link.connected) throw new Error("not connected");
      await this.#bucket.create(nuid.next(), textOf(revocation), ageOf(forMs));
    } catch (cause) {
      throw new BimrideError("STORE_UNAVAILABLE", "The registry of revocations can't be reached now.", {
        cause,
      });
    }
    this.#view.add(revocation);
  }

  isRevoked: Revocations["isRevoked"] = (signedIn) => this.#view.isRevoked(signedIn);
  watch: Revocations["watch"] = (listener) => this.#view.watch(listener);

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const stop of this.#stops) stop();
    this.#watch.stop();
    await this.#checking;
  }

  /** Opens the bucket, making it when it is missing, and resolves once all that it holds is known. */
  async #begin(): Promise<void> {
    const bucket = await openRevocationBucket(this.#bucketOptions);
    const entries = await bucket.watch();
    if (this.#closed) {
      entries.stop();
      return;
    }
    const { state, created } = (await bucket.status()).streamInfo;
    const known = Promise.withResolvers<void>();
    this.#bucket = bucket;
    this.#heardRevision = 0;
    this.#madeAt = created;
    this.#watch.follow(
      entries,
      (entry) => {
        this.#received(entry);
        if (entry.revision >= state.last_seq || entry.isUpdate) known.resolve();
      },
      (cause) => {
        known.reject(cause);
        this.#failed(cause);
      },
    );
    if (state.messages === 0) known.resolve();
    const late = this.#ioClock.after(REQUEST_MS, () =>
      known.reject(new Error("the bucket's content does not come")),
    );
    await known.promise.finally(late);
    this.#heardRevision = Math.max(this.#heardRevision, state.last_seq);
  }

  #received(entry: KvWatchEntry): void {
    this.#heardRevision = Math.max(this.#heardRevision, entry.revision);
    // Those that went have an end of their own here.
    if (entry.operation !== "PUT") return;
    const revocation = parseRevocation(Buffer.from(entry.value).toString("utf8"));
    if (revocation) this.#view.add(revocation);
    else this.#failed(new Error(`an entry of the bucket ${entry.bucket} is no revocation`));
  }

  /** Never rejects; calls do not overlap. */
  #check(): Promise<void> {
    this.#checking ??= this.#checkOnce().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #checkOnce(): Promise<void> {
    if (!this.#options.link.connected || this.#closed) return;
    try {
      if (!(await this.#isAsHeard())) await this.#beginAgain();
      this.#outage.over();
    } catch (cause) {
      this.#failed(cause);
    }
  }

  /** False when the bucket is gone or another one, or holds more than was heard. */
  async #isAsHeard(): Promise<boolean> {
    const heard = this.#heardRevision;
    try {
      const { streamInfo } = (await this.#bucket?.status()) ?? {};
      return (
        streamInfo?.created === this.#madeAt &&
        streamInfo.state.last_seq <= Math.max(heard, this.#heardRevision)
      );
    } catch {
      // Most likely the bucket is gone; what it really is shows when it is opened again.
      return false;
    }
  }

  /** A bucket that was lost gets again what this process knows. */
  async #beginAgain(): Promise<void> {
    const madeAt = this.#madeAt;
    const held = this.#view.held;
    await this.#begin();
    if (this.#madeAt === madeAt) return;
    const nowMs = this.#options.clock.now();
    for (const each of held)
      await this.#bucket?.create(nuid.next(), textOf(each), ageOf(each.untilMs - nowMs));
  }

  #failed(cause: unknown): void {
    if (!this.#closed) this.#outage.failed(asBimrideError(cause).cause ?? cause);
  }
}

/** JSON, which an operator can read with any NATS tool. */
function textOf({ user, signInId, sessionId, untilMs }: Revocation): string {
  return JSON.stringify({ user, signInId, sessionId, untilMs });
}

/** As the server wants it: whole seconds, at least one. */
function ageOf(forMs: number): string {
  return `${Math.max(1, Math.ceil(forMs / 1_000))}s`;
}
