import { type JetStreamManager, jetstream, jetstreamManager, type StreamConfig } from "@nats-io/jetstream";
import { type ObjectStore, Objm, StorageType, setSha256Backend } from "@nats-io/obj";
import { nanos } from "@nats-io/transport-node";
import { EngineError } from "../../core/engine-error.ts";
import { checkBucket } from "../../nats/check-bucket.ts";
import type { NatsLink } from "../../nats/link.ts";

export type SnapshotBucketOptions = {
  link: NatsLink;
  /** Its name; letters, digits, `_` and `-`. */
  name: string;
  replicas: number;
  /** Longest wait for one answer of the servers. */
  requestMs: number;
};

/** What a snapshot bucket is worked with. */
export type SnapshotBucket = { store: ObjectStore; manager: JetStreamManager; stream: string };

/** A snapshot that is older than what the log keeps helps nobody; nor does what a crash left of one. */
const MAX_AGE_MS = 48 * 3_600_000;
/** Parts that belong to no snapshot and have not grown for so long are of a process that died while it saved. */
const ABANDONED_AFTER_MS = 60_000;

/**
 * Opens the object store in the servers' memory, makes it when missing, and removes what died with a process that was
 * saving. Rejects with an EngineError when it can't be as asked, else with the client's error.
 */
export async function openSnapshotBucket(options: SnapshotBucketOptions): Promise<SnapshotBucket> {
  const { link, name, replicas, requestMs } = options;
  setSha256Backend("native");
  const client = jetstream(link.connection, { timeout: requestMs, checkAPI: false });
  const store = await new Objm(client).create(name, {
    storage: StorageType.Memory,
    replicas,
    ttl: nanos(MAX_AGE_MS),
    description: "Bimride snapshots of projections",
  });
  const manager = await jetstreamManager(link.connection, { timeout: requestMs, checkAPI: false });
  const bucket = { store, manager, stream: `OBJ_${name}` };
  const { config } = await manager.streams.info(bucket.stream);
  refuseOther(config, name);
  if (config.num_replicas !== replicas)
    await manager.streams.update(bucket.stream, { num_replicas: replicas });
  await removeAbandoned(bucket, name);
  return bucket;
}

/** Rejects as {@link openSnapshotBucket} does where the bucket is there and was made otherwise; makes nothing. */
export function checkSnapshotBucket({ link, name, requestMs }: SnapshotBucketOptions): Promise<void> {
  const bucket = { name, stream: `OBJ_${name}`, requestMs };
  return checkBucket(link, bucket, ({ config }) => refuseOther(config, name));
}

function refuseOther({ storage }: StreamConfig, name: string): void {
  if (storage === StorageType.Memory) return;
  throw new EngineError(
    "nats.servers",
    `the bucket ${name} was made with another storage; delete it, it holds nothing that lasts`,
  );
}

async function removeAbandoned({ store, manager, stream }: SnapshotBucket, name: string): Promise<void> {
  const { state, ts } = await manager.streams.info(stream, { subjects_filter: `$O.${name}.C.>` });
  const parts = Object.keys(state.subjects ?? {});
  if (parts.length === 0) return;
  const used = new Set((await store.list()).map(({ nuid }) => `$O.${name}.C.${nuid}`));
  const nowMs = Date.parse(ts ?? "");
  for (const subject of parts) {
    if (used.has(subject)) continue;
    const newest = await manager.streams.getMessage(stream, { last_by_subj: subject });
    if (newest && nowMs - newest.time.getTime() >= ABANDONED_AFTER_MS)
      await manager.streams.purge(stream, { filter: subject });
  }
}
