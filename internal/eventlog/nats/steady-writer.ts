import { expect } from "vitest";
import { asBimrideError } from "../../core/errors.ts";
import type { EventLog, LogEntry } from "../log.ts";

/** For tests: appends numbered entries all the time and remembers what became of each. */
export class SteadyWriter {
  readonly acknowledged: { partition: number; text: string; sequence: number; atMs: number }[] = [];
  readonly refused: { code: string; askedAtMs: number; atMs: number }[] = [];
  readonly #log: EventLog;
  readonly #underWay = new Set<Promise<void>>();
  #writing: Promise<void>;
  #stopped = false;
  #count = 0;

  constructor(log: EventLog) {
    this.#log = log;
    this.#writing = this.#run();
  }

  /** Resolves once `count` further entries are acknowledged. */
  async more(count: number): Promise<void> {
    const target = this.acknowledged.length + count;
    while (this.acknowledged.length < target) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** Resolves once an append is refused, with when it was asked for. */
  async refusal(): Promise<{ code: string; askedAtMs: number; atMs: number }> {
    const before = this.refused.length;
    while (this.refused.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
    return this.refused.at(-1)!;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#writing;
    await Promise.all(this.#underWay);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      for (let i = 0; i < 5; i++) this.#append();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  #append(): void {
    const partition = this.#count % this.#log.partitions;
    const text = `${this.#count++}`;
    const askedAtMs = performance.now();
    const appending = this.#log.append(partition, new TextEncoder().encode(text)).then(
      (sequence) => {
        this.acknowledged.push({ partition, text, sequence, atMs: performance.now() });
      },
      (error) => {
        this.refused.push({ code: asBimrideError(error).code, askedAtMs, atMs: performance.now() });
      },
    );
    this.#underWay.add(appending);
    void appending.finally(() => this.#underWay.delete(appending));
  }

  /** Everything acknowledged is in the log under its sequence, and those rise in the order of the appends. */
  check(entries: readonly LogEntry[]): void {
    const found = new Map(
      entries.map(({ partition, sequence, body }) => [
        `${partition}/${sequence}`,
        new TextDecoder().decode(body),
      ]),
    );
    const missing = this.acknowledged.filter(
      ({ partition, sequence, text }) => found.get(`${partition}/${sequence}`) !== text,
    );
    expect(missing).toEqual([]);
    const last: number[] = [];
    for (const { partition, sequence } of this.acknowledged.toSorted((a, b) => +a.text - +b.text)) {
      expect(sequence).toBeGreaterThan(last[partition] ?? 0);
      last[partition] = sequence;
    }
  }
}

/** For tests: reads from the start until stopped; fails where a sequence does not rise. */
export class SteadyReader {
  readonly entries: LogEntry[] = [];
  readonly #stop = new AbortController();
  readonly #reading: Promise<void>;

  constructor(log: EventLog, partitions: readonly number[]) {
    this.#reading = this.#run(log, new Map(partitions.map((partition) => [partition, 0])));
    this.#reading.catch(() => undefined);
  }

  async #run(log: EventLog, cursors: Map<number, number>): Promise<void> {
    for await (const batch of log.read(new Map(cursors), this.#stop.signal))
      for (const entry of batch) {
        expect(entry.sequence).toBeGreaterThan(cursors.get(entry.partition)!);
        cursors.set(entry.partition, entry.sequence);
        this.entries.push(entry);
      }
  }

  /** Stops once what the log holds now has been read. */
  async finish(log: EventLog, partitions: readonly number[]): Promise<readonly LogEntry[]> {
    const lasts = await Promise.all(partitions.map(async (partition) => (await log.bounds(partition)).last));
    const done = () =>
      partitions.every((partition, i) =>
        this.entries.some((entry) => entry.partition === partition && entry.sequence >= lasts[i]!),
      );
    const failed = this.#reading.then(() => true);
    while (!done() && !(await Promise.race([failed, new Promise<false>((r) => setTimeout(r, 20, false))])));
    this.#stop.abort();
    await this.#reading;
    return this.entries;
  }
}
