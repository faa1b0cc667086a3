import {
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  type MsgRequest,
  type StoredMsg,
} from "@nats-io/jetstream";
import { BimrideError } from "../../core/errors.ts";
import type { Limits } from "../../core/limits.ts";
import { type Clock, systemClock } from "../../core/time.ts";
import type { NatsLink } from "../../nats/link.ts";
import type { EventLog, LogBounds, LogEntry } from "../log.ts";
import { Availability } from "./availability.ts";
import { Publisher } from "./publisher.ts";
import { type ReadSource, readEntries } from "./reader.ts";
import {
  allSubjects,
  checkStream,
  ensureStream,
  type LogStreamOptions,
  partitionSubjects,
  streamName,
} from "./stream.ts";

export type NatsLogOptions = LogStreamOptions & {
  /** Stays its owner's: the log does not close it. */
  link: NatsLink;
  limits: Pick<Limits, "maxPendingLogBytes">;
  clock?: Clock;
  /** Appends are refused at once when the servers have been gone or silent for so long. */
  awayAfterMs?: number;
  /** An append that is not acknowledged after so long rejects. */
  giveUpMs?: number;
};

const DEFAULT_AWAY_AFTER_MS = 800;
const DEFAULT_GIVE_UP_MS = 4_000;
const API_TIMEOUT_MS = 4_000;
/** A projection that starts at `bounds().first` has so long before its first entry leaves by age. */
const FIRST_MARGIN_MS = 60_000;

/**
 * Opens the log of a region on JetStream and makes its stream when it is missing. Rejects with an EngineError when the
 * stream can't be made (`nats.replicas`, `log.max_bytes`, `nats.servers`) or was made with other settings.
 *
 * Durable means: stored by the servers as configured there. With `sync_interval: always` it is on their disks; by
 * default an entry survives the death of a server's process, not the power cut of all its replicas at once.
 */
export async function openNatsLog(options: NatsLogOptions): Promise<EventLog> {
  const manager = await managerOf(options);
  await ensureStream(manager, options, options.clock ?? systemClock);
  return new NatsLog(options, manager);
}

/** Rejects as {@link openNatsLog} does where the stream is there and was made with other settings; makes nothing. */
export async function checkNatsLog(options: NatsLogOptions): Promise<void> {
  await checkStream(await managerOf(options), options, options.clock ?? systemClock);
}

function managerOf({ link }: NatsLogOptions): Promise<JetStreamManager> {
  return jetstreamManager(link.connection, { checkAPI: false, timeout: API_TIMEOUT_MS });
}

class NatsLog implements EventLog {
  readonly numbersTogether = true;
  readonly region: string;
  readonly partitions: number;
  readonly #manager: JetStreamManager;
  readonly #retentionMs: number;
  readonly #source: ReadSource;
  readonly #availability: Availability;
  readonly #publisher: Publisher;
  readonly #onClose = new Set<() => void>();
  #trims = 0;
  #closed = false;

  constructor(options: NatsLogOptions, manager: JetStreamManager) {
    const { link, region, partitions, retentionMs, clock = systemClock } = options;
    this.region = region;
    this.partitions = partitions;
    this.#manager = manager;
    this.#retentionMs = retentionMs;
    const stream = streamName(options);
    const subjects = partitionSubjects(options);
    this.#source = {
      link,
      manager,
      clock,
      stream,
      subjects,
      allSubjects: allSubjects(options),
      partitionOf: new Map(subjects.map((subject, partition) => [subject, partition])),
      retentionMs,
      state: async () => (await manager.streams.info(stream)).state,
      trims: () => this.#trims,
      closed: () => this.#closed,
      onClose: (callback) => {
        this.#onClose.add(callback);
        return () => void this.#onClose.delete(callback);
      },
    };
    this.#availability = new Availability({
      clock,
      awayAfterMs: options.awayAfterMs ?? DEFAULT_AWAY_AFTER_MS,
      roomBytes: async () => {
        const { config, state } = await manager.streams.info(stream);
        return config.max_bytes - state.bytes;
      },
    });
    this.#publisher = new Publisher({
      availability: this.#availability,
      link,
      clock,
      stream,
      subjects,
      maxPendingLogBytes: options.limits.maxPendingLogBytes,
      giveUpMs: options.giveUpMs ?? DEFAULT_GIVE_UP_MS,
    });
    this.#publisher.start();
  }

  append(partition: number, body: Uint8Array): Promise<number> {
    if (!(partition in this.#source.subjects))
      return Promise.reject(new RangeError(`no partition ${partition}`));
    return this.#publisher.append(partition, body);
  }

  read(after: ReadonlyMap<number, number>, signal: AbortSignal): AsyncIterable<LogEntry[]> {
    return readEntries(this.#source, after, signal);
  }

  async bounds(partition: number): Promise<LogBounds> {
    const { stream, subjects } = this.#source;
    return this.#asked(async () => {
      const info = await this.#manager.streams.info(stream);
      const { first_seq, last_seq, first_ts } = info.state;
      const staysUntilMs = Date.parse(info.ts ?? "") - this.#retentionMs + FIRST_MARGIN_MS;
      const leaves = first_seq <= last_seq && Date.parse(first_ts) < staysUntilMs;
      const first = leaves ? await this.#firstSince(staysUntilMs, last_seq + 1) : Math.max(1, first_seq);
      const newest = await this.#message({ last_by_subj: subjects[partition]! });
      const last = newest?.seq ?? first - 1;
      return { first, last, end: Math.max(last, last_seq) };
    });
  }

  /** The same for all partitions: they are numbered together. */
  sequenceAt(_partition: number, timeMs: number): Promise<number> {
    return this.#asked(async () => {
      const { first_seq, last_seq } = (await this.#manager.streams.info(this.#source.stream)).state;
      return Math.max(1, first_seq, await this.#firstSince(Math.max(0, timeMs), last_seq + 1));
    });
  }

  /** Entries of all partitions: what left the stream says no more whose it was. */
  lostAfter(_partition: number, cursor: number): Promise<number> {
    return this.#asked(async () => {
      const { first_seq } = (await this.#manager.streams.info(this.#source.stream)).state;
      return Math.max(0, first_seq - 1 - cursor);
    });
  }

  trim(beforeMs: number): Promise<void> {
    const { stream } = this.#source;
    return this.#asked(async () => {
      const { first_seq, last_seq, first_ts } = (await this.#manager.streams.info(stream)).state;
      if (first_seq > last_seq || Date.parse(first_ts) >= beforeMs) return;
      const seq = await this.#firstSince(beforeMs, last_seq + 1);
      this.#trims++;
      if (seq > first_seq) await this.#manager.streams.purge(stream, { seq });
    });
  }

  async health(): Promise<Error | undefined> {
    return this.#availability.fault;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#publisher.close();
    this.#closed = true;
    for (const callback of this.#onClose) callback();
  }

  /** Sequence of the first entry stored at the time or later, at most `end`. */
  async #firstSince(timeMs: number, end: number): Promise<number> {
    if (timeMs > MAX_TIME_MS) return end;
    const startTime = { start_time: new Date(Math.ceil(timeMs)).toISOString() };
    // nats-server ≥ 2.11 takes it; the client's type of this request does not have it yet.
    const message = await this.#message(startTime as unknown as MsgRequest);
    return Math.min(message?.seq ?? end, end);
  }

  /** From the stream's leader: another server may be behind. */
  async #message(query: MsgRequest): Promise<StoredMsg | undefined> {
    try {
      return (await this.#manager.streams.getMessage(this.#source.stream, query)) ?? undefined;
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.NoMessageFound)
        return undefined;
      throw error;
    }
  }

  async #asked<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new BimrideError("LOG_UNAVAILABLE", "The log is closed.");
    try {
      return await ask();
    } catch (cause) {
      throw new BimrideError("LOG_UNAVAILABLE", "The log does not answer.", { cause });
    }
  }
}

/** The last millisecond that a Date can hold in four digits of the year. */
const MAX_TIME_MS = Date.UTC(9_999, 11, 31);
