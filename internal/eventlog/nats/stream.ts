import { isDeepStrictEqual } from "node:util";
import {
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { EngineError } from "../../core/engine-error.ts";
import type { Clock } from "../../core/time.ts";
import { findStream } from "../../nats/find-stream.ts";
import { whileItBegins } from "../../nats/while-it-begins.ts";

/** What the stream of a region's log is made of. */
export type LogStreamOptions = {
  region: string;
  partitions: number;
  /** Servers that hold each entry. */
  replicas: number;
  retentionMs: number;
  /** On disk, per replica; appends beyond are refused with LOG_FULL. */
  maxBytes: number;
  /** In front of the names of stream and subjects; for tests. Letters, digits and `_` only. */
  prefix?: string;
};

/** How long the server knows an entry's id: longer than the publisher goes on sending it again. */
export const DUPLICATE_WINDOW_MS = 30_000;

/** Error codes of the server that name a setting (server/errors.json of nats-server). */
const REPLICAS_CODES = new Set([10_005, 10_074]);
const STORAGE_CODES = new Set([10_002, 10_023, 10_047]);
const NAME_IN_USE = 10_058;
const SUBJECTS_OVERLAP = 10_065;

export function streamName({ prefix = "", region }: LogStreamOptions): string {
  return `${prefix}LOG_${region}`;
}

/** The subject of each partition, by its number. */
export function partitionSubjects({ prefix = "", region, partitions }: LogStreamOptions): string[] {
  return Array.from({ length: partitions }, (_, partition) => `${prefix}log.${region}.${partition}`);
}

/** Matches the subjects of all partitions. */
export function allSubjects({ prefix = "", region }: LogStreamOptions): string {
  return `${prefix}log.${region}.*`;
}

/**
 * Makes the stream when it is missing; gives an existing one the retention and size asked for, and how entries are known
 * again and read. Rejects with an EngineError when the existing one has other partitions, replicas, storage or discard
 * policy, or anything that Bimride never asks for and that could lose an entry: these decide where an entry lies and
 * whether it is safe, so nothing is changed then.
 */
export async function ensureStream(
  manager: JetStreamManager,
  options: LogStreamOptions,
  clock: Clock,
): Promise<void> {
  const wanted = wantedConfig(options);
  await whenItCan(wanted.name, clock, () => ensure(manager, wanted));
}

/** Rejects as {@link ensureStream} does where the stream is there and was made otherwise; makes and changes nothing. */
export async function checkStream(
  manager: JetStreamManager,
  options: LogStreamOptions,
  clock: Clock,
): Promise<void> {
  const wanted = wantedConfig(options);
  await whenItCan(wanted.name, clock, async () => {
    const found = await findStream(manager, wanted.name);
    if (found) compare(found.config, wanted);
  });
}

/** Waits for servers that begin; rejects with an EngineError. */
async function whenItCan(name: string, clock: Clock, task: () => Promise<void>): Promise<void> {
  try {
    await whileItBegins(clock, task);
  } catch (cause) {
    throw cause instanceof EngineError ? cause : streamProblem(name, cause);
  }
}

async function ensure(manager: JetStreamManager, wanted: ReturnType<typeof wantedConfig>): Promise<void> {
  const found = await findStream(manager, wanted.name);
  if (!found) await addStream(manager, wanted);
  const { config } = found ?? (await manager.streams.info(wanted.name));
  compare(config, wanted);
  const { max_age, max_bytes, duplicate_window, allow_direct } = wanted;
  const changing = { max_age, max_bytes, duplicate_window, allow_direct };
  if (!isDeepStrictEqual({ ...config, ...changing }, { ...config }))
    await manager.streams.update(wanted.name, changing);
}

function wantedConfig(options: LogStreamOptions) {
  return {
    name: streamName(options),
    description: `Bimride event log of region ${options.region}`,
    subjects: partitionSubjects(options),
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    max_age: nanos(options.retentionMs),
    max_bytes: options.maxBytes,
    num_replicas: options.replicas,
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    allow_direct: true,
  } satisfies Partial<StreamConfig>;
}

async function addStream(manager: JetStreamManager, wanted: ReturnType<typeof wantedConfig>): Promise<void> {
  try {
    await manager.streams.add({ ...wanted });
  } catch (error) {
    // Another process was first, with other settings perhaps: what is there is compared next.
    if (!(error instanceof JetStreamApiError && error.code === NAME_IN_USE)) throw error;
  }
}

function compare(found: StreamConfig, wanted: ReturnType<typeof wantedConfig>): void {
  const differs = (setting: string, what: string) =>
    new EngineError(setting, `the NATS stream ${wanted.name} was made with ${what}`);
  const subjects = [...(found.subjects ?? [])].sort();
  if (subjects.join() !== [...wanted.subjects].sort().join())
    throw differs("nats.servers", `${subjects.length} partitions, not with ${wanted.subjects.length}`);
  if (found.num_replicas !== wanted.num_replicas)
    throw differs("nats.replicas", `${found.num_replicas} replicas, not with ${wanted.num_replicas}`);
  if (found.storage !== wanted.storage)
    throw differs("nats.servers", `${found.storage} storage, not with ${wanted.storage} storage`);
  if (found.discard !== wanted.discard || found.retention !== wanted.retention)
    throw differs("nats.servers", "another policy of what leaves when: entries could vanish unread");
  const foreign = FOREIGN.find(([, isSet]) => isSet(found));
  if (foreign) throw differs("nats.servers", `${foreign[0]}, which could lose entries`);
}

/** What makes a stream keep, take or answer less than the log needs, by its name in the server's configuration. */
const FOREIGN: readonly (readonly [name: string, isSet: (config: StreamConfig) => boolean])[] = [
  ["max_msgs", ({ max_msgs }) => max_msgs > 0],
  ["max_msgs_per_subject", ({ max_msgs_per_subject }) => max_msgs_per_subject > 0],
  ["max_msg_size", ({ max_msg_size }) => max_msg_size > 0],
  ["max_consumers", ({ max_consumers }) => max_consumers > 0],
  ["no_ack", ({ no_ack }) => no_ack === true],
  ["sealed", ({ sealed }) => sealed],
  ["subject_transform", ({ subject_transform }) => subject_transform !== undefined],
  ["mirror", ({ mirror }) => mirror !== undefined],
  ["sources", ({ sources }) => (sources?.length ?? 0) > 0],
  ["allow_msg_ttl", ({ allow_msg_ttl }) => allow_msg_ttl === true],
  // An ack would come before the disk has the entry.
  ["persist_mode async", ({ persist_mode }) => persist_mode === "async"],
];

function streamProblem(name: string, cause: unknown): EngineError {
  const code = cause instanceof JetStreamApiError ? cause.code : 0;
  if (REPLICAS_CODES.has(code))
    return new EngineError("nats.replicas", `too few NATS servers for so many copies of ${name}`, { cause });
  if (STORAGE_CODES.has(code))
    return new EngineError("log.max_bytes", `the NATS servers have no room for a stream ${name} so large`, {
      cause,
    });
  if (code === SUBJECTS_OVERLAP)
    return new EngineError("nats.servers", `another stream has the subjects of ${name}`, { cause });
  const why = cause instanceof Error ? cause.message : "unknown";
  return new EngineError("nats.servers", `the NATS stream ${name} can't be had: ${why}`, { cause });
}
