import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { DiskReserve } from "../../sqlite/disk-reserve.ts";
import type { Answer } from "../../sqlite/serve.ts";

/** Appends that go to the worker together: the bodies lie one after another in `bytes`. */
export type AppendBatch = {
  partitions: Uint32Array;
  lengths: Uint32Array;
  bytes: Uint8Array<ArrayBuffer>;
  nowMs: number;
};
/** What became of them; `bytes` comes back for the readers in memory. */
export type Appended = { sequences: Float64Array; loggedAtMs: number; bytes: Uint8Array<ArrayBuffer> };
export type ReadQuery = { partition: number; after: number; maxEntries: number; maxBytes: number };
/** Entries in order, packed as in AppendBatch. */
export type ReadPage = {
  sequences: number[];
  lengths: number[];
  times: number[];
  bytes: Uint8Array<ArrayBuffer>;
};
export type TimeQuery = { partition: number; timeMs: number };
export type TrimQuery = { beforeMs: number; maxEntries: number };
/** Per partition: the last sequence removed and the last written. */
export type Bounds = { through: number[]; last: number[] };

/** The log's operations on its database, run in the worker. */
export class LogOperations {
  readonly #reserve: DiskReserve;
  readonly #insert: StatementSync;
  readonly #select: StatementSync;
  readonly #timeOf: StatementSync;
  readonly #oldest: StatementSync;
  readonly #delete: StatementSync;
  readonly #recordTrim: StatementSync;
  /** Durable, and with the open transaction's changes. */
  #durable: Bounds;
  #current: Bounds;
  #lastLoggedAtMs: number;

  constructor(db: DatabaseSync, reserve: DiskReserve, region: string, partitions: number) {
    this.#reserve = reserve;
    claim(db, region, partitions);
    this.#insert = db.prepare(
      "INSERT INTO entries (partition, sequence, logged_at_ms, body) VALUES (?, ?, ?, ?)",
    );
    this.#select = db.prepare(
      "SELECT sequence, logged_at_ms, body FROM entries WHERE partition = ? AND sequence > ? ORDER BY sequence LIMIT ?",
    );
    this.#select.setReturnArrays(true);
    this.#timeOf = db.prepare("SELECT logged_at_ms FROM entries WHERE partition = ? AND sequence = ?");
    this.#oldest = db.prepare(
      "SELECT id, partition, sequence, logged_at_ms FROM entries ORDER BY id LIMIT ?",
    );
    this.#delete = db.prepare("DELETE FROM entries WHERE id <= ?");
    this.#recordTrim = db.prepare(
      "INSERT INTO trimmed (partition, through) VALUES (?, ?) ON CONFLICT (partition) DO UPDATE SET through = excluded.through",
    );
    this.#durable = storedBounds(db, partitions);
    this.#current = structuredClone(this.#durable);
    const newest = db.prepare("SELECT logged_at_ms FROM entries ORDER BY id DESC LIMIT 1").get();
    this.#lastLoggedAtMs = newest ? Number(newest.logged_at_ms) : 0;
  }

  get bounds(): Bounds {
    return this.#durable;
  }

  committed(): void {
    this.#durable = structuredClone(this.#current);
  }

  rolledBack(): void {
    this.#current = structuredClone(this.#durable);
  }

  append(batch: AppendBatch): Answer<Appended> {
    this.#reserve.check();
    const { partitions, lengths, bytes } = batch;
    // Times of entries never go back, so that what is older also lies further in front.
    this.#lastLoggedAtMs = Math.max(this.#lastLoggedAtMs, Math.floor(batch.nowMs));
    const loggedAtMs = this.#lastLoggedAtMs;
    const sequences = new Float64Array(partitions.length);
    let offset = 0;
    for (let i = 0; i < partitions.length; i++) {
      const partition = partitions[i]!;
      const end = offset + lengths[i]!;
      const sequence = this.#current.last[partition]! + 1;
      this.#insert.run(partition, sequence, loggedAtMs, bytes.subarray(offset, end));
      this.#current.last[partition] = sequence;
      sequences[i] = sequence;
      offset = end;
    }
    return { value: { sequences, loggedAtMs, bytes }, transfer: [bytes.buffer] };
  }

  read({ partition, after, maxEntries, maxBytes }: ReadQuery): Answer<ReadPage> {
    const sequences: number[] = [];
    const lengths: number[] = [];
    const times: number[] = [];
    const bodies: Uint8Array[] = [];
    let size = 0;
    // Rows come as arrays (setReturnArrays), which the types do not know.
    const rows = this.#select.iterate(partition, after, maxEntries) as unknown as Iterable<
      [number, number, Uint8Array]
    >;
    for (const [sequence, loggedAtMs, body] of rows) {
      sequences.push(sequence);
      times.push(loggedAtMs);
      lengths.push(body.length);
      bodies.push(body);
      size += body.length;
      if (size >= maxBytes) break;
    }
    const bytes = new Uint8Array(size);
    let offset = 0;
    for (const body of bodies) {
      bytes.set(body, offset);
      offset += body.length;
    }
    return { value: { sequences, lengths, times, bytes }, transfer: [bytes.buffer] };
  }

  /** The first sequence of the partition that was logged at the time or later: sequences have no holes, times never fall. */
  sequenceAt({ partition, timeMs }: TimeQuery): Answer<number> {
    let low = this.#current.through[partition]! + 1;
    let high = this.#current.last[partition]! + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (Number(this.#timeOf.get(partition, middle)!.logged_at_ms) < timeMs) low = middle + 1;
      else high = middle;
    }
    return { value: low };
  }

  /** Removes some of the oldest entries; `done` when no older one is left. */
  trim({ beforeMs, maxEntries }: TrimQuery): Answer<{ done: boolean; through: number[] }> {
    let lastId = 0;
    let removed = 0;
    const touched = new Set<number>();
    for (const row of this.#oldest.iterate(maxEntries)) {
      if (Number(row.logged_at_ms) >= beforeMs) break;
      lastId = Number(row.id);
      removed++;
      touched.add(Number(row.partition));
      this.#current.through[Number(row.partition)] = Number(row.sequence);
    }
    if (removed > 0) this.#delete.run(lastId);
    for (const partition of touched) this.#recordTrim.run(partition, this.#current.through[partition]!);
    return { value: { done: removed < maxEntries, through: this.#current.through } };
  }
}

/** Writes down what the log is on first use, and refuses to be another one later. */
function claim(db: DatabaseSync, region: string, partitions: number): void {
  const found = db.prepare("SELECT region, partitions FROM log").get();
  if (!found) db.prepare("INSERT INTO log (region, partitions) VALUES (?, ?)").run(region, partitions);
  else if (found.region !== region || Number(found.partitions) !== partitions)
    throw new Error(
      `The log was made for region ${found.region} with ${found.partitions} partitions, not for ${region} with ${partitions}.`,
    );
}

function storedBounds(db: DatabaseSync, partitions: number): Bounds {
  const trimmed = db.prepare("SELECT through FROM trimmed WHERE partition = ?");
  const last = db.prepare("SELECT max(sequence) AS last FROM entries WHERE partition = ?");
  const bounds: Bounds = { through: [], last: [] };
  for (let partition = 0; partition < partitions; partition++) {
    const through = Number(trimmed.get(partition)?.through ?? 0);
    bounds.through.push(through);
    bounds.last.push(Math.max(through, Number(last.get(partition)?.last ?? 0)));
  }
  return bounds;
}
