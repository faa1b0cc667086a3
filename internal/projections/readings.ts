import type { LogEntry } from "../eventlog/log.ts";
import type { Owned } from "./owned-partitions.ts";

/** One reader of the log, over partitions that were taken together or have met at the log's end. */
export class Reading {
  readonly #owned: ReadonlyMap<number, Owned>;
  readonly #abort = new AbortController();
  /** Resolves when nothing more is taken in; never rejects. */
  ended: Promise<void> = Promise.resolve();
  #isCaughtUp = false;

  constructor(owned: readonly Owned[]) {
    this.#owned = new Map(owned.map((each) => [each.state.partition, each]));
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** What an entry belongs to; undefined for one of a partition that nothing is taken in of any more. */
  ownedOf({ partition }: Pick<LogEntry, "partition">): Owned | undefined {
    const owned = this.#owned.get(partition);
    return owned && goesOn(owned) ? owned : undefined;
  }

  /** Cursors of the partitions that go on. */
  cursors(): Map<number, number> {
    return new Map(this.#goingOn().map(({ state }) => [state.partition, state.cursor]));
  }

  /** True once all that the log held when the partitions were taken has been read. */
  get isCaughtUp(): boolean {
    this.#isCaughtUp ||= this.#goingOn().every(({ state, target }) => state.cursor >= target);
    return this.#isCaughtUp;
  }

  /** All up to the sequence has been read of each partition that goes on. */
  readThrough(sequence: number): void {
    for (const { state } of this.#goingOn()) state.cursor = Math.max(state.cursor, sequence);
  }

  /** The partitions that were not given away. */
  get present(): Owned[] {
    return [...this.#owned.values()].filter(({ gone }) => !gone);
  }

  get size(): number {
    return this.#owned.size;
  }

  stop(): Promise<void> {
    this.#abort.abort();
    return this.ended;
  }

  #goingOn(): Owned[] {
    return [...this.#owned.values()].filter(goesOn);
  }
}

function goesOn({ gone, stopped }: Owned): boolean {
  return !gone && !stopped;
}

/**
 * The readers of a projection. What is taken is read by a reader of its own until it has caught up, so that what is at
 * hand goes on meanwhile and is not read twice; then one reader goes on with both. At most as many as there are
 * partitions.
 */
export class Readings {
  readonly #read: (reading: Reading) => Promise<void>;
  readonly #readings = new Set<Reading>();

  /** @param read reads until the signal aborts or nothing goes on; never rejects */
  constructor(read: (reading: Reading) => Promise<void>) {
    this.#read = read;
  }

  start(owned: readonly Owned[]): void {
    if (owned.length === 0) return;
    const reading = new Reading(owned);
    this.#readings.add(reading);
    reading.ended = this.#read(reading);
  }

  /** Puts the readers that have caught up together, and leaves out what was given away. */
  async join(): Promise<void> {
    const joined = [...this.#readings].filter(({ isCaughtUp }) => isCaughtUp);
    const isOne = joined.length === 1 && joined.every(({ present, size }) => present.length === size);
    if (isOne) return;
    await this.#stop(joined);
    this.start(joined.flatMap(({ present }) => present));
  }

  async stop(): Promise<void> {
    await this.#stop([...this.#readings]);
  }

  async #stop(readings: readonly Reading[]): Promise<void> {
    await Promise.all(readings.map((reading) => reading.stop()));
    for (const reading of readings) this.#readings.delete(reading);
  }
}
