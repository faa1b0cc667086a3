import type { LogEntry } from "../log.ts";

/** Entries of one partition in order; `start` is the index of the first that is still held. */
type Held = { entries: LogEntry[]; start: number };

/**
 * The newest entries of all partitions, in memory, for readers that keep up. At its bounds the oldest leave, whatever
 * their partition: who still needs them reads the database.
 */
export class Tail {
  readonly #held: Held[];
  /** Partitions of the held entries, oldest first: which one gives up its first entry next. */
  #order: number[] = [];
  #orderStart = 0;
  #bytes = 0;
  readonly #maxEntries: number;
  readonly #maxBytes: number;

  constructor(partitions: number, maxEntries: number, maxBytes: number) {
    this.#held = Array.from({ length: partitions }, () => ({ entries: [], start: 0 }));
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
  }

  add(entry: LogEntry): void {
    this.#held[entry.partition]!.entries.push(entry);
    this.#order.push(entry.partition);
    this.#bytes += entry.body.length;
    while (this.#order.length - this.#orderStart > this.#maxEntries || this.#bytes > this.#maxBytes)
      this.#evict();
  }

  /** Whether the entry after the sequence is held. */
  has(partition: number, after: number): boolean {
    const { entries, start } = this.#held[partition]!;
    const first = entries[start];
    return first !== undefined && first.sequence <= after + 1 && entries.at(-1)!.sequence > after;
  }

  /** Adds what is held after the sequence to `into`, up to its `limit` of entries; gives the last sequence added. */
  take(partition: number, after: number, into: LogEntry[], limit: number): number {
    const { entries, start } = this.#held[partition]!;
    let at = start + after + 1 - entries[start]!.sequence;
    while (at < entries.length && into.length < limit) into.push(entries[at++]!);
    return entries[at - 1]!.sequence;
  }

  #evict(): void {
    const held = this.#held[this.#order[this.#orderStart++]!]!;
    this.#bytes -= held.entries[held.start++]!.body.length;
    if (held.start > 64 && held.start * 2 > held.entries.length) {
      held.entries = held.entries.slice(held.start);
      held.start = 0;
    }
    if (this.#orderStart > 1_024 && this.#orderStart * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#orderStart);
      this.#orderStart = 0;
    }
  }
}
