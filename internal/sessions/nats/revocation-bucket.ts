import { jetstream, type StreamConfig } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import { EngineError } from "../../core/engine-error.ts";
import { checkBucket } from "../../nats/check-bucket.ts";
import type { NatsLink } from "../../nats/link.ts";

export type RevocationBucketOptions = {
  link: NatsLink;
  /** Its name; letters, digits, `_` and `-`. */
  name: string;
  replicas: number;
  /** Longest wait for one answer of the servers. */
  requestMs: number;
};

/** Room for maxRevocations of ordinary size. Writes are refused beyond: nothing old leaves for something new. */
const MAX_BYTES = 64 << 20;
/** Age of what the server leaves in the place of an entry whose time is over. */
const MARKER_MS = 60_000;

/**
 * Opens the key-value bucket on the servers' disks and makes it when missing; the number of copies is changed to the one
 * asked for. Entries have an age of their own. Rejects with an EngineError when it was made otherwise, else with the
 * client's error.
 */
export async function openRevocationBucket(options: RevocationBucketOptions): Promise<KV> {
  const { link, name, replicas, requestMs } = options;
  const client = jetstream(link.connection, { timeout: requestMs });
  const bucket = await new Kvm(client).create(name, {
    ...{ storage: "file", history: 1, replicas, max_bytes: MAX_BYTES, markerTTL: MARKER_MS },
    description: "Bimride sessions and sign-ins that were revoked",
    allow_direct: false,
  });
  const { config } = (await bucket.status()).streamInfo;
  refuseOther(config, name);
  if (config.num_replicas !== replicas) {
    const manager = await client.jetstreamManager(false);
    await manager.streams.update(config.name, { num_replicas: replicas });
  }
  return bucket;
}

/** Rejects as {@link openRevocationBucket} does where the bucket is there and was made otherwise; makes nothing. */
export function checkRevocationBucket(options: RevocationBucketOptions): Promise<void> {
  const { link, name, requestMs } = options;
  return checkBucket(link, { name, stream: `KV_${name}`, requestMs }, ({ config }) =>
    refuseOther(config, name),
  );
}

function refuseOther({ storage, max_msgs_per_subject, allow_msg_ttl }: StreamConfig, name: string): void {
  const differing =
    storage !== "file"
      ? "storage"
      : max_msgs_per_subject !== 1
        ? "history"
        : !allow_msg_ttl
          ? "age of entries"
          : "";
  if (differing !== "")
    throw new EngineError(
      "nats.servers",
      `the bucket ${name} was made with another ${differing}; it holds which sessions were revoked: move it away before another is made`,
    );
}
