import { BimrideError } from "../../core/errors.ts";
import type { Limits } from "../../core/limits.ts";
import type { Clock } from "../../core/time.ts";
import type { Fault } from "../../sqlite/faults.ts";
import { SqliteWorker } from "../../sqlite/sqlite-worker.ts";
import type { EventLog, LogBounds, LogEntry } from "../log.ts";
import type { LogHello, LogWorkerData, LogWorkerOperations } from "./log.worker.ts";
import type { Appended, Bounds } from "./operations.ts";
import { type ReadSource, readEntries } from "./reader.ts";
import { Tail } from "./tail.ts";

/** Bounds of what is kept in memory for readers that keep up; older entries come from the database. */
const MAX_TAIL_ENTRIES = 20_000;
const MAX_TAIL_BYTES = 16 << 20;
/** One read of the database: small enough that appends wait at most a few milliseconds for it. */
const MAX_ENTRIES_PER_READ = 256;
const MAX_BYTES_PER_READ = 1 << 20;
/** Entries that one transaction of `trim` removes. */
const MAX_ENTRIES_PER_TRIM = 1_000;

export type SqliteLogOptions = {
  /** The database file; made when missing. Its folder must exist and be this process's alone. */
  path: string;
  region: string;
  /** Fixed at the log's creation; another number later is refused. */
  partitions: number;
  clock: Clock;
  limits: Pick<Limits, "maxPendingLogBytes">;
  /** The database never gets larger; appends beyond are refused with LOG_FULL until `trim` made room. */
  maxBytes?: number;
  /** Appends are refused with LOG_FULL while the disk has less room than this (64 MiB), so that `trim` can still work. */
  reserveBytes?: number;
};

/** Appends that may wait besides the bound on their bytes: bodies may be empty, promises are not free. */
const MAX_PENDING_ENTRIES = 100_000;

type Waiting = {
  partition: number;
  body: Uint8Array;
  resolve(sequence: number): void;
  reject(error: Error): void;
};

/**
 * Opens the embedded log: one SQLite database, written by a thread of its own. Rejects with LOG_UNAVAILABLE when the
 * file is damaged, locked, of a newer build, or was made for another region or number of partitions.
 * @param entry the worker's file; tests give one that fails
 */
export async function openSqliteLog(
  options: SqliteLogOptions,
  entry: URL = new URL("./log.worker.ts", import.meta.url),
): Promise<EventLog> {
  const { path, region, partitions, maxBytes, reserveBytes } = options;
  const data: LogWorkerData = { database: { path, maxBytes, reserveBytes }, region, partitions };
  const { worker, hello } = await SqliteWorker.start<LogWorkerOperations, LogHello>({
    entry,
    name: "log",
    data,
    toError,
  });
  return new SqliteLog(options, worker, hello);
}

function toError({ kind, message }: Fault): BimrideError {
  const cause = new Error(message);
  if (kind === "full") return new BimrideError("LOG_FULL", undefined, { cause });
  return new BimrideError("LOG_UNAVAILABLE", `The log can't be used: ${message}`, { cause });
}

/**
 * Appends of one turn of the event loop go to the worker in one message; what arrives there during a commit shares the
 * next one. Durable means: committed with synchronous=FULL, on the disk.
 */
class SqliteLog implements EventLog {
  readonly numbersTogether = false;
  readonly region: string;
  readonly partitions: number;
  readonly #clock: Clock;
  readonly #worker: SqliteWorker<LogWorkerOperations>;
  readonly #tail: Tail;
  readonly #source: ReadSource;
  readonly #bounds: Bounds;
  readonly #maxPendingBytes: number;
  readonly #wakeUps = new Set<() => void>();
  #waiting: Waiting[] = [];
  #pendingBytes = 0;
  #pendingEntries = 0;
  #fault: Error | undefined;
  #closed = false;

  constructor(options: SqliteLogOptions, worker: SqliteWorker<LogWorkerOperations>, bounds: Bounds) {
    this.region = options.region;
    this.partitions = options.partitions;
    this.#clock = options.clock;
    this.#maxPendingBytes = options.limits.maxPendingLogBytes;
    this.#worker = worker;
    this.#bounds = bounds;
    this.#tail = new Tail(options.partitions, MAX_TAIL_ENTRIES, MAX_TAIL_BYTES);
    this.#source = {
      bounds: (partition) => ({ through: bounds.through[partition]!, last: bounds.last[partition]! }),
      inMemory: (partition, after) => this.#tail.has(partition, after),
      takeFromMemory: (partition, after, into, limit) => this.#tail.take(partition, after, into, limit),
      fromDatabase: (partition, after) => this.#readDatabase(partition, after),
      changed: (signal) => this.#changed(signal),
      ended: () => (this.#closed ? "closed" : worker.failure),
    };
    worker.onFailure((error) => {
      this.#fault = error;
      this.#wake();
    });
  }

  append(partition: number, body: Uint8Array): Promise<number> {
    if (!Number.isInteger(partition) || partition < 0 || partition >= this.partitions)
      return Promise.reject(new RangeError(`no partition ${partition}`));
    if (this.#closed) return Promise.reject(new BimrideError("LOG_UNAVAILABLE", "The log is closed."));
    const tooMany = this.#pendingEntries >= MAX_PENDING_ENTRIES;
    if (tooMany || this.#pendingBytes + body.length > this.#maxPendingBytes)
      return Promise.reject(new BimrideError("LOG_UNAVAILABLE", "Too much waits for the log already."));
    this.#pendingBytes += body.length;
    this.#pendingEntries++;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ partition, body, resolve, reject });
      if (this.#waiting.length === 1) setImmediate(() => void this.#flush());
    });
  }

  async #flush(): Promise<void> {
    const batch = this.#waiting;
    if (batch.length === 0) return;
    this.#waiting = [];
    const lengths = Uint32Array.from(batch, ({ body }) => body.length);
    const size = lengths.reduce((sum, length) => sum + length, 0);
    const bytes = new Uint8Array(size);
    let offset = 0;
    for (const { body } of batch) {
      bytes.set(body, offset);
      offset += body.length;
    }
    const partitions = Uint32Array.from(batch, ({ partition }) => partition);
    try {
      const argument = { partitions, lengths, bytes, nowMs: this.#clock.now() };
      this.#appended(batch, await this.#worker.call("append", argument, [bytes.buffer]));
    } catch (error) {
      this.#fault = error as Error;
      for (const { reject } of batch) reject(error as Error);
    } finally {
      this.#pendingBytes -= size;
      this.#pendingEntries -= batch.length;
    }
  }

  #appended(batch: readonly Waiting[], { sequences, loggedAtMs, bytes }: Appended): void {
    this.#fault = undefined;
    let offset = 0;
    for (const [i, { partition, body, resolve }] of batch.entries()) {
      const sequence = sequences[i]!;
      const end = offset + body.length;
      this.#tail.add({ partition, sequence, loggedAtMs, body: bytes.subarray(offset, end) });
      this.#bounds.last[partition] = sequence;
      offset = end;
      resolve(sequence);
    }
    this.#wake();
  }

  read(after: ReadonlyMap<number, number>, signal: AbortSignal): AsyncIterable<LogEntry[]> {
    return readEntries(this.#source, after, signal);
  }

  async #readDatabase(partition: number, after: number): Promise<LogEntry[]> {
    const page = await this.#worker.call("read", {
      partition,
      after,
      maxEntries: MAX_ENTRIES_PER_READ,
      maxBytes: MAX_BYTES_PER_READ,
    });
    let offset = 0;
    return page.sequences.map((sequence, i) => {
      const body = page.bytes.subarray(offset, offset + page.lengths[i]!);
      offset += body.length;
      return { partition, sequence, loggedAtMs: page.times[i]!, body };
    });
  }

  async bounds(partition: number): Promise<LogBounds> {
    const { through, last } = this.#source.bounds(partition);
    return { first: through + 1, last, end: last };
  }

  sequenceAt(partition: number, timeMs: number): Promise<number> {
    return this.#worker.call("sequenceAt", { partition, timeMs });
  }

  async lostAfter(partition: number, cursor: number): Promise<number> {
    return Math.max(0, this.#source.bounds(partition).through - cursor);
  }

  async trim(beforeMs: number): Promise<void> {
    for (let done = false; !done; ) {
      const answer = await this.#worker.call("trim", { beforeMs, maxEntries: MAX_ENTRIES_PER_TRIM });
      done = answer.done;
      for (const [partition, through] of answer.through.entries()) this.#bounds.through[partition] = through;
    }
  }

  async health(): Promise<Error | undefined> {
    return this.#fault;
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#wakeUps.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#wakeUps.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }

  #wake(): void {
    for (const wake of [...this.#wakeUps]) wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    void this.#flush();
    await this.#worker[Symbol.asyncDispose]();
    this.#wake();
  }
}
