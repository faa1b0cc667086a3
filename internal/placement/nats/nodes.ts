import type { KV, KvEntry } from "@nats-io/kv";
import type { Limits } from "../../core/limits.ts";
import { sleep } from "../../core/time.ts";
import { BucketWatch } from "../../nats/bucket-watch.ts";
import {
  checkMemoryBucket,
  isPresent,
  type MemoryBucketOptions,
  openMemoryBucket,
} from "../../nats/memory-bucket.ts";
import { Outage } from "../../nats/outage.ts";
import type { NatsRegistryOptions } from "../../nats/registry-options.ts";
import { startProblem } from "../../nats/start-problem.ts";
import { NodeView } from "../node-view.ts";
import { checkNode, type LiveNode, type NodeKind, type Nodes, nodeKey } from "../nodes.ts";
import { decodeNode, encodeNode } from "./node-codec.ts";

/** `onError` is told of an entry that can't be read as of an outage. */
export type NatsNodesOptions = NatsRegistryOptions & {
  limits: Pick<Limits, "nodeRenewMs" | "nodeSilentMs" | "maxNodesPerRegion">;
};

/** Entries that nobody renews leave the bucket after this; longer than any silence that is not taken for death. */
const ENTRY_AGE_MS = 10_000;
/** Room for 1,000 nodes with the longest addresses. */
const BUCKET_BYTES = 2 << 20;
/** Longest wait for an answer of the server. */
const REQUEST_MS = 2_000;
/** Longest wait of a node that ends for its key to be removed; its silence tells the others then. */
const WITHDRAW_MS = 1_000;

/**
 * The nodes of a region in a key-value bucket `nodes_<region>` in the servers' memory: one key per node and kind, written
 * anew every nodeRenewMs; every process watches all of them. Rejects when the bucket can't be had (see memory-bucket.ts).
 */
export async function openNatsNodes(options: NatsNodesOptions): Promise<Nodes> {
  const nodes = new NatsNodes(options);
  await nodes.open();
  return nodes;
}

/** Rejects as {@link openNatsNodes} does where the bucket is there and was made otherwise; makes nothing. */
export function checkNatsNodes(options: BucketOwner): Promise<void> {
  return checkMemoryBucket(options.link, bucketOf(options));
}

type BucketOwner = Pick<NatsNodesOptions, "link" | "region" | "replicas" | "prefix">;

function bucketOf({ prefix = "", region, replicas }: BucketOwner): MemoryBucketOptions {
  return {
    name: `${prefix}nodes_${region}`,
    replicas,
    maxBytes: BUCKET_BYTES,
    maxAgeMs: ENTRY_AGE_MS,
    agingMarkers: false,
    requestMs: REQUEST_MS,
  };
}

class NatsNodes implements Nodes {
  readonly #options: NatsNodesOptions;
  readonly #bucketOptions: MemoryBucketOptions;
  readonly #view: NodeView;
  readonly #announced = new Map<string, LiveNode>();
  /** Keys of this process, those that ended too: what comes back of them tells only that the registry is there. */
  readonly #ownKeys = new Set<string>();
  readonly #watch = new BucketWatch();
  readonly #outage: Outage;
  #bucket: KV | undefined;
  #watchedAtMs = 0;
  #beating: Promise<void> | undefined;
  #stopBeats: (() => void)[] = [];
  #closed = false;

  constructor(options: NatsNodesOptions) {
    this.#options = options;
    this.#view = new NodeView(options.limits);
    this.#outage = new Outage("The registry of nodes can't be used.", options.onError);
    this.#bucketOptions = bucketOf(options);
  }

  async open(): Promise<void> {
    try {
      await this.#begin();
    } catch (cause) {
      throw startProblem(`the bucket ${this.#bucketOptions.name}`, cause);
    }
    const { clock, limits, link } = this.#options;
    this.#stopBeats = [
      clock.every(limits.nodeRenewMs, () => void this.#beat()),
      link.watch((connected) => {
        if (connected) void this.#beat();
      }),
    ];
  }

  async announce(node: LiveNode): Promise<AsyncDisposable> {
    checkNode(node);
    const key = nodeKey(node);
    this.#announced.set(key, node);
    this.#ownKeys.add(key);
    this.#view.pin(node);
    // One that is under way may have begun without it.
    await this.#beating;
    await this.#beat();
    return {
      [Symbol.asyncDispose]: async () => {
        if (this.#announced.get(key) === node) await this.#withdraw(key);
      },
    };
  }

  live(kind: NodeKind): readonly LiveNode[] {
    return this.#view.live(kind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const stop of this.#stopBeats) stop();
    await Promise.all([...this.#announced.keys()].map((key) => this.#withdraw(key)));
    this.#watch.stop();
  }

  async #withdraw(key: string): Promise<void> {
    this.#announced.delete(key);
    this.#view.remove(key);
    const late = new AbortController();
    await Promise.race([this.#removed(key), sleep(this.#options.clock, WITHDRAW_MS, late.signal)]);
    late.abort();
  }

  async #removed(key: string): Promise<void> {
    // What a heartbeat is writing must not come after the removal.
    await this.#beating;
    if (!this.#options.link.connected) return;
    try {
      await this.#bucket?.delete(key);
    } catch (cause) {
      this.#failed(cause);
    }
  }

  /** Shows that the nodes of this process live; never rejects, calls do not overlap. */
  #beat(): Promise<void> {
    this.#beating ??= this.#beatOnce().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  async #beatOnce(): Promise<void> {
    if (!this.#options.link.connected) return;
    try {
      if ((await this.#written()) && !this.#isDeaf()) {
        this.#outage.over();
        return;
      }
      await this.#begin();
      await this.#write();
      this.#outage.over();
    } catch (cause) {
      this.#failed(cause);
    }
  }

  /** Opens the bucket, making it when it is missing, and watches it from now on. */
  async #begin(): Promise<void> {
    const { link, clock } = this.#options;
    const bucket = await openMemoryBucket(link, this.#bucketOptions);
    const entries = await bucket.watch();
    if (this.#closed) {
      entries.stop();
      return;
    }
    this.#bucket = bucket;
    this.#watchedAtMs = clock.monotonic();
    this.#watch.follow(
      entries,
      (entry) => this.#received(entry),
      (cause) => this.#failed(cause),
    );
  }

  #received(entry: KvEntry): void {
    const nowMs = this.#options.clock.monotonic();
    const { key } = entry;
    if (this.#ownKeys.has(key)) {
      this.#view.heard(nowMs);
    } else if (!isPresent(entry)) {
      this.#view.heard(nowMs);
      this.#view.remove(key);
    } else {
      const node = decodeNode(entry.value);
      if (node && nodeKey(node) === key) this.#view.add(node, nowMs);
      else this.#failed(new Error(`an entry of the bucket ${entry.bucket} is no node`));
    }
  }

  /** True when nothing came for so long that the watch must be broken: whoever announces hears at least itself. */
  #isDeaf(): boolean {
    const heardAtMs = Math.max(this.#view.heardAtMs, this.#watchedAtMs);
    return this.#options.clock.monotonic() - heardAtMs > this.#options.limits.nodeSilentMs;
  }

  async #written(): Promise<boolean> {
    try {
      await this.#write();
      return true;
    } catch {
      // Most likely the bucket is gone; what it really is shows when it is opened again.
      return false;
    }
  }

  async #write(): Promise<void> {
    const bucket = this.#bucket;
    await Promise.all([...this.#announced].map(([key, node]) => bucket?.put(key, encodeNode(node))));
  }

  #failed(cause: unknown): void {
    if (!this.#closed) this.#outage.failed(cause);
  }
}
