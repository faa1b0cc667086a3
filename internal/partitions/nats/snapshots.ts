import type { JetStreamManager } from "@nats-io/jetstream";
import type { ObjectInfo } from "@nats-io/obj";
import { BimrideError } from "../../core/errors.ts";
import { type Clock, sleep, systemClock } from "../../core/time.ts";
import { isBucketMissing } from "../../nats/bucket-missing.ts";
import type { NatsLink } from "../../nats/link.ts";
import { startProblem } from "../../nats/start-problem.ts";
import { whileItBegins } from "../../nats/while-it-begins.ts";
import { checkSnapshotName, framed, unframed } from "../snapshot-frame.ts";
import type { Snapshots } from "../snapshots.ts";
import {
  checkSnapshotBucket,
  openSnapshotBucket,
  type SnapshotBucket,
  type SnapshotBucketOptions,
} from "./snapshot-bucket.ts";

export type NatsSnapshotsOptions = {
  /** Stays its owner's: the snapshots do not close it. */
  link: NatsLink;
  region: string;
  /** Servers that hold a copy of each. */
  replicas: number;
  clock?: Clock;
  /** In front of the bucket's name; for tests. */
  prefix?: string;
};

/** Longest wait for one answer; a save and a load have several. */
const REQUEST_MS = 2_000;
const SAVE_MS = 30_000;
const LOAD_MS = 15_000;
/** A part of a snapshot that is sent as one message: small enough to hold up nobody else on the connection. */
const PART_BYTES = 256 << 10;
/** An owner saves at least every hour (keepAliveTickMs): what is older is of a partition that somebody else has now. */
const REMEMBERED_MS = 2 * 3_600_000;
const TRIES = 3;
const RETRY_MS = 100;

/**
 * Snapshots as objects in the servers' memory. When all servers that had a copy were down at once they are gone; what
 * this process itself saved lately it then gives back from its own memory, so that a restart of NATS does not make it
 * read the whole log again. Rejects with an EngineError when the bucket can't be had (`nats.replicas`, `nats.servers`);
 * `save` and `load` reject with STORE_UNAVAILABLE within half a minute.
 */
export async function openNatsSnapshots(options: NatsSnapshotsOptions): Promise<Snapshots> {
  const { link, clock = systemClock } = options;
  const bucket = bucketOf(options);
  const open = () => openSnapshotBucket(bucket);
  try {
    return new NatsSnapshots(link, clock, await whileItBegins(clock, open), open);
  } catch (cause) {
    throw startProblem(`the bucket ${bucket.name}`, cause);
  }
}

/** Rejects as {@link openNatsSnapshots} does where the bucket is there and was made otherwise; makes nothing. */
export function checkNatsSnapshots(options: NatsSnapshotsOptions): Promise<void> {
  return checkSnapshotBucket(bucketOf(options));
}

function bucketOf({ link, region, replicas, prefix = "" }: NatsSnapshotsOptions): SnapshotBucketOptions {
  return { link, name: `${prefix}SNAPSHOTS_${region}`, replicas, requestMs: REQUEST_MS };
}

class NatsSnapshots implements Snapshots {
  readonly #link: NatsLink;
  readonly #clock: Clock;
  readonly #open: () => Promise<SnapshotBucket>;
  #bucket: SnapshotBucket;
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #remembered = new Map<string, { body: Uint8Array; atMs: number }>();

  constructor(link: NatsLink, clock: Clock, bucket: SnapshotBucket, open: () => Promise<SnapshotBucket>) {
    this.#link = link;
    this.#clock = clock;
    this.#bucket = bucket;
    this.#open = open;
  }

  /** Saves of one name happen one after another, so the last call's content stays. */
  async save(name: string, body: Uint8Array): Promise<void> {
    checkSnapshotName(name);
    const content = framed(body);
    const before = this.#underWay.get(name);
    const saving = (async () => {
      // Its own caller hears of a failure of the save before; this one only waits for its end.
      await before?.catch(() => {});
      await this.#answered(SAVE_MS, (late) => this.#put(name, content, late));
      this.#remember(name, body);
    })();
    this.#underWay.set(name, saving);
    try {
      await saving;
    } finally {
      if (this.#underWay.get(name) === saving) this.#underWay.delete(name);
    }
  }

  async load(name: string): Promise<Uint8Array | undefined> {
    checkSnapshotName(name);
    const stored = await this.#answered(LOAD_MS, (late) => this.#get(name, late));
    return stored === undefined ? this.#ownLately(name) : unframed(stored);
  }

  async #put(name: string, content: Uint8Array, late: AbortSignal): Promise<void> {
    const put = () =>
      this.#bucket.store.put({ name, options: { max_chunk_size: PART_BYTES } }, partsOf(content, late), {
        timeout: REQUEST_MS,
      });
    try {
      await put();
    } catch (error) {
      if (!isBucketMissing(error) || late.aborted) throw error;
      this.#bucket = await this.#open();
      await put();
    }
  }

  /** What is stored; nothing in it when it is torn; undefined when there is none. */
  async #get(name: string, late: AbortSignal): Promise<Uint8Array | undefined> {
    const { store, manager, stream } = this.#bucket;
    for (let attempt = 1; attempt <= TRIES; attempt++) {
      const info = await store.info(name).catch((error) => {
        if (isBucketMissing(error)) return null;
        throw error;
      });
      if (!info || info.deleted) return undefined;
      const stored = await readParts(manager, stream, info, late);
      if (stored) return stored;
      // It was replaced while it was read, or parts of it are gone.
      await sleep(this.#clock, RETRY_MS, late);
    }
    return new Uint8Array(0);
  }

  #remember(name: string, body: Uint8Array): void {
    const atMs = this.#clock.monotonic();
    this.#remembered.set(name, { body, atMs });
    for (const [key, each] of this.#remembered)
      if (atMs - each.atMs > REMEMBERED_MS) this.#remembered.delete(key);
  }

  #ownLately(name: string): Uint8Array | undefined {
    const own = this.#remembered.get(name);
    return own && this.#clock.monotonic() - own.atMs <= REMEMBERED_MS ? own.body : undefined;
  }

  async #answered<T>(limitMs: number, ask: (late: AbortSignal) => Promise<T>): Promise<T> {
    const late = new AbortController();
    const done = new AbortController();
    try {
      if (!this.#link.connected) throw new Error("there is no connection");
      const limit = sleep(this.#clock, limitMs, done.signal).then(() => {
        late.abort();
        throw new Error(`no answer in ${limitMs} ms`);
      });
      limit.catch(() => {}); // it may come after the answer, when nobody waits for it
      return await Promise.race([ask(late.signal), limit]);
    } catch (cause) {
      throw new BimrideError("STORE_UNAVAILABLE", "The bucket of snapshots can't be used.", { cause });
    } finally {
      done.abort();
    }
  }
}

/** The content in parts, until it is too late. */
function partsOf(content: Uint8Array, late: AbortSignal): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (late.aborted) return controller.error(new Error("it took too long"));
      if (at >= content.length) return controller.close();
      controller.enqueue(content.subarray(at, at + PART_BYTES));
      at += PART_BYTES;
    },
  });
}

/**
 * All parts of an object; undefined when some are missing. One question each: the client's own way of reading waits for
 * ever for parts that were removed in between.
 */
async function readParts(
  manager: JetStreamManager,
  stream: string,
  { bucket, nuid, chunks }: ObjectInfo,
  late: AbortSignal,
): Promise<Uint8Array | undefined> {
  const subject = `$O.${bucket}.C.${nuid}`;
  const parts: Uint8Array[] = [];
  for (let seq = 1; parts.length < chunks; ) {
    if (late.aborted) throw new Error("it took too long");
    const part = await manager.direct.getMessage(stream, { seq, next_by_subj: subject });
    if (!part) return undefined;
    parts.push(part.data);
    seq = part.seq + 1;
  }
  return Buffer.concat(parts);
}
