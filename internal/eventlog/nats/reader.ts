import type { StreamState } from "@nats-io/jetstream";
import { BimrideError } from "../../core/errors.ts";
import { sleep } from "../../core/time.ts";
import type { LogEntry } from "../log.ts";
import { Pull, type PullSource } from "./pull.ts";

/** Entries per batch that a reader gets. */
const MAX_ENTRIES_PER_BATCH = 1_000;
/** Waits before another consumer is made, after the first and after every further one that came to nothing. */
const REOPEN_MS = { first: 50, longest: 1_000 } as const;
/** Readers of some partitions look this often whether the log's beginning overtook them. */
const CHECK_MS = 1_000;
/** So often every reader does while nothing comes. */
const IDLE_CHECK_MS = 10_000;

/** What a reader needs of the log. */
export type ReadSource = PullSource & {
  /** By partition. */
  subjects: readonly string[];
  /** Matches all of them. */
  allSubjects: string;
  retentionMs: number;
  /** First and last sequence of the stream, from its leader. */
  state(): Promise<StreamState>;
  /** Counts the trims that this process asked for. */
  trims(): number;
  closed(): boolean;
  /** Calls back at the log's end. */
  onClose(callback: () => void): () => void;
};

/**
 * The port's `read`: one consumer at a time over the subjects asked for, from the lowest cursor on.
 *
 * No entry is skipped in silence: a consumer delivers without holes what the stream holds, so only what left the stream
 * before it was delivered can be missing, and that leaves from the front. Numbers missing between two entries belong to
 * other partitions, unless the stream's first number lies beyond them. A reader of all partitions asks for that number
 * at every hole. One of some partitions, for whom holes are the rule, asks when the entry before the hole is so old that
 * what came after it may have left by age, when this process trimmed, and once a second besides: only entries younger
 * than half the retention that somebody else removes by hand are noticed late.
 */
export async function* readEntries(
  source: ReadSource,
  after: ReadonlyMap<number, number>,
  signal: AbortSignal,
): AsyncGenerator<LogEntry[]> {
  const reader = new Reader(source, after, signal);
  try {
    for (let failures = 0; !reader.ended; failures++) {
      if (failures > 0) await reader.waitBeforeReopening(failures);
      const pull = await reader.open();
      if (!pull) continue;
      await using _pull = pull;
      while (!reader.ended) {
        const batch = await reader.next(pull);
        if (!batch) break;
        failures = 0;
        if (batch.length > 0) yield batch;
      }
    }
  } finally {
    reader.dispose();
  }
}

class Reader {
  readonly #source: ReadSource;
  readonly #cursors: Map<number, number>;
  readonly #signal: AbortSignal;
  readonly #all: boolean;
  readonly #stops: (() => void)[] = [];
  /** Everything up to here has been delivered, of the partitions asked for. */
  #through: number;
  /** When the entry at `#through` was stored; 0 while none was delivered. */
  #throughAtMs = 0;
  #checkedAtMs = 0;
  #trims: number;
  #wake: (() => void) | undefined;

  constructor(source: ReadSource, after: ReadonlyMap<number, number>, signal: AbortSignal) {
    this.#source = source;
    this.#cursors = new Map(after);
    this.#signal = signal;
    this.#all = after.size === source.subjects.length;
    this.#through = Math.min(...after.values());
    this.#trims = source.trims();
    const wake = () => this.#wake?.();
    signal.addEventListener("abort", wake, { once: true });
    this.#stops.push(source.onClose(wake), source.clock.every(CHECK_MS, wake), () =>
      signal.removeEventListener("abort", wake),
    );
  }

  get ended(): boolean {
    return this.#signal.aborted || this.#source.closed();
  }

  dispose(): void {
    for (const stop of this.#stops) stop();
  }

  async waitBeforeReopening(failures: number): Promise<void> {
    const delayMs = Math.min(REOPEN_MS.longest, REOPEN_MS.first * 2 ** Math.min(failures, 10));
    const awake = new AbortController();
    this.#wake = () => awake.abort();
    await sleep(this.#source.clock, delayMs, awake.signal);
  }

  /** Undefined when the servers can't give a consumer now. Throws CURSOR_TOO_OLD. */
  async open(): Promise<Pull | undefined> {
    const { subjects, allSubjects } = this.#source;
    if (this.#cursors.size === 0) {
      while (!this.ended) await this.#woken();
      return undefined;
    }
    try {
      await this.#checkCursors();
      const wanted = this.#all ? [allSubjects] : [...this.#cursors.keys()].map((p) => subjects[p]!);
      return await Pull.open(this.#source, wanted, this.#through + 1, () => this.#wake?.());
    } catch (error) {
      if (error instanceof BimrideError) throw error;
      // No leader, no connection, a server that starts: tried again for as long as the reader wants.
      return undefined;
    }
  }

  /** Undefined when the consumer is lost; what it delivered before has been given out. Throws CURSOR_TOO_OLD. */
  async next(pull: Pull): Promise<LogEntry[] | undefined> {
    for (;;) {
      const entries = pull.take(MAX_ENTRIES_PER_BATCH);
      const idle = entries.length === 0;
      if (this.ended || (idle && pull.lost)) return undefined;
      if (idle ? this.#idleCheckDue() : this.#mustCheck(entries)) {
        if (!(await this.#checkThrough()) || this.ended) return undefined;
      }
      if (!idle) return this.#accept(entries);
      if (!pull.waits) await this.#woken();
    }
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #accept(entries: LogEntry[]): LogEntry[] {
    const last = entries.at(-1)!;
    this.#through = last.sequence;
    this.#throughAtMs = last.loggedAtMs;
    const fresh = entries.filter(({ partition, sequence }) => sequence > this.#cursors.get(partition)!);
    for (const { partition, sequence } of fresh) this.#cursors.set(partition, sequence);
    return fresh;
  }

  #mustCheck(entries: readonly LogEntry[]): boolean {
    const contiguous = entries.at(-1)!.sequence - this.#through === entries.length;
    if (contiguous) return false;
    if (this.#all || this.#trims !== this.#source.trims()) return true;
    const { clock, retentionMs } = this.#source;
    if (clock.monotonic() - this.#checkedAtMs >= CHECK_MS) return true;
    return clock.now() - this.#throughAtMs > retentionMs / 2;
  }

  /** What left the stream unread shows at the next entry; without one it is looked for now and then. */
  #idleCheckDue(): boolean {
    const sinceMs = this.#source.clock.monotonic() - this.#checkedAtMs;
    return this.#trims !== this.#source.trims() || sinceMs >= IDLE_CHECK_MS;
  }

  /** What lies before a consumer's first entry: nothing of the partitions may have left after their cursors. */
  async #checkCursors(): Promise<void> {
    const trims = this.#source.trims();
    const { first_seq: first, last_seq: last } = await this.#source.state();
    for (const [partition, cursor] of this.#cursors) {
      if (cursor > last)
        throw new BimrideError(
          "CURSOR_TOO_OLD",
          `The cursor of partition ${partition} lies beyond the log's end: it belongs to another log.`,
        );
      // Up to #through all was delivered, also where a partition had nothing.
      if (Math.max(cursor, this.#throughAtMs > 0 ? this.#through : 0) < first - 1) throw tooOld(partition);
    }
    this.#trims = trims;
    this.#checkedAtMs = this.#source.clock.monotonic();
  }

  /** False when the servers can't tell now: then everything since the last accepted entry is read again. */
  async #checkThrough(): Promise<boolean> {
    const trims = this.#source.trims();
    let first: number;
    try {
      first = (await this.#source.state()).first_seq;
    } catch {
      return false;
    }
    if (this.#through < first - 1) throw tooOld(undefined);
    this.#trims = trims;
    this.#checkedAtMs = this.#source.clock.monotonic();
    return true;
  }
}

function tooOld(partition: number | undefined): BimrideError {
  const whose = partition === undefined ? "The cursor" : `The cursor of partition ${partition}`;
  return new BimrideError("CURSOR_TOO_OLD", `${whose} is older than the log's first record.`);
}
