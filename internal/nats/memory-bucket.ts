import { JetStreamApiCodes, JetStreamApiError, jetstream, type StreamInfo } from "@nats-io/jetstream";
import { type KV, type KvEntry, Kvm } from "@nats-io/kv";
import { EngineError } from "../core/engine-error.ts";
import { checkBucket } from "./check-bucket.ts";
import type { NatsLink } from "./link.ts";

/** A key-value bucket in the servers' memory: fast, and empty after all servers that held it were down at once. */
export type MemoryBucketOptions = {
  /** Its name; letters, digits, `_` and `-`. */
  name: string;
  /** Servers of the cluster that hold a copy, 1 to 5. */
  replicas: number;
  /** Most bytes; writes fail beyond. */
  maxBytes: number;
  /** Entries that were not written again for so long go away by themselves; 0: never. */
  maxAgeMs: number;
  /** True when markers of purged keys may be given an age of their own. */
  agingMarkers: boolean;
  /** Longest wait for an answer of the server. */
  requestMs: number;
};

/** What became of a write that depends on the revision before it. */
export type WriteResult =
  | { outcome: "written"; revision: number }
  /** The key has another revision: nothing was written. */
  | { outcome: "conflict" }
  /** No answer, or the bucket is not there: it may be written or not. */
  | { outcome: "unknown"; cause: unknown };

/** Error codes of the JetStream API that tell of a setting. */
const REPLICAS_NEED_CLUSTER = 10_074;
const NO_SUITABLE_PEERS = 10_005;

/**
 * Opens the bucket and makes it when missing; the number of copies is changed to the one asked for.
 * Rejects with an EngineError when it can't be as asked, else with the client's error.
 */
export async function openMemoryBucket(link: NatsLink, options: MemoryBucketOptions): Promise<KV> {
  const client = jetstream(link.connection, { timeout: options.requestMs });
  try {
    const bucket = await new Kvm(client).create(options.name, {
      storage: "memory",
      history: 1,
      replicas: options.replicas,
      max_bytes: options.maxBytes,
      ...(options.maxAgeMs > 0 ? { ttl: options.maxAgeMs } : {}),
      ...(options.agingMarkers ? { markerTTL: MARKER_OF_SERVER_MS } : {}),
      // Reads go to the leader: one that lags would look like a lost bucket.
      allow_direct: false,
    });
    const { streamInfo } = await bucket.status();
    refuseOther(streamInfo, options);
    if (streamInfo.config.num_replicas !== options.replicas) {
      const manager = await client.jetstreamManager(false);
      await manager.streams.update(streamInfo.config.name, { num_replicas: options.replicas });
    }
    return bucket;
  } catch (cause) {
    if (cause instanceof JetStreamApiError && REPLICA_CODES.has(cause.code))
      throw new EngineError(
        "nats.replicas",
        `the NATS servers can't hold ${options.replicas} copies of the bucket ${options.name}`,
        { cause },
      );
    throw cause;
  }
}

/** Rejects as {@link openMemoryBucket} does where the bucket is there and was made otherwise; makes nothing. */
export function checkMemoryBucket(link: NatsLink, options: MemoryBucketOptions): Promise<void> {
  const bucket = { ...options, stream: `KV_${options.name}` };
  return checkBucket(link, bucket, (found) => refuseOther(found, options));
}

function refuseOther(found: StreamInfo, options: MemoryBucketOptions): void {
  const differing = settingThatDiffers(found, options);
  if (!differing) return;
  throw new EngineError(
    "nats.servers",
    `the bucket ${options.name} was made with another ${differing}; delete it, it holds nothing that lasts`,
  );
}

const REPLICA_CODES = new Set([REPLICAS_NEED_CLUSTER, NO_SUITABLE_PEERS]);
/** Age of the markers that the server itself leaves; none of ours depends on them. */
const MARKER_OF_SERVER_MS = 60_000;

function settingThatDiffers({ config }: StreamInfo, options: MemoryBucketOptions): string | undefined {
  if (config.storage !== "memory") return "storage";
  if (config.max_msgs_per_subject !== 1) return "history";
  if (Boolean(config.allow_msg_ttl) !== options.agingMarkers) return "age of markers";
  return undefined;
}

/** Writes the key if its last revision is still the one given; 0: if it never existed. */
export async function writeIf(
  bucket: KV,
  key: string,
  value: string,
  revision: number,
): Promise<WriteResult> {
  try {
    return { outcome: "written", revision: await bucket.put(key, value, { previousSeq: revision }) };
  } catch (cause) {
    return isConflict(cause) ? { outcome: "conflict" } : { outcome: "unknown", cause };
  }
}

/** Leaves a marker in the key's place for `markerTtl` (e.g. `1h`), if its last revision is still the one given. */
export async function purgeIf(
  bucket: KV,
  key: string,
  revision: number,
  markerTtl: string,
): Promise<WriteResult> {
  try {
    await bucket.purge(key, { previousSeq: revision, ttl: markerTtl });
    return { outcome: "written", revision: 0 };
  } catch (cause) {
    return isConflict(cause) ? { outcome: "conflict" } : { outcome: "unknown", cause };
  }
}

/** True for an entry that has a value, false for the marker of a key that was deleted. */
export function isPresent(entry: KvEntry | null): entry is KvEntry {
  return entry !== null && entry.operation === "PUT";
}

function isConflict(error: unknown): boolean {
  if (!(error instanceof JetStreamApiError)) return false;
  const { StreamWrongLastSequence, StreamWrongLastSequenceUnknown } = JetStreamApiCodes;
  return error.code === StreamWrongLastSequence || error.code === StreamWrongLastSequenceUnknown;
}
