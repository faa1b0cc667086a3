import type { CassandraLink } from "../../cassandra/link.ts";
import type { Clock } from "../../core/time.ts";

/** What lies in partitions of a stretch of time. */
export type BucketKind = "hour" | "outbox";

const ADD = "INSERT INTO trip_buckets (kind, bucket) VALUES (?, ?) USING TIMESTAMP ?";
const REMOVE = "DELETE FROM trip_buckets USING TIMESTAMP ? WHERE kind = ? AND bucket = ?";
const LIST = "SELECT bucket FROM trip_buckets WHERE kind = ? AND bucket <= ?";

/** After so long a use is written down again. */
const REMEMBERED_MS = 10_000;
const MAX_REMEMBERED = 64;
/** Buckets read at once. */
const PAGE = 500;

/**
 * Which buckets of a kind are in use. Whoever writes into one says so before; whoever finds one empty removes it, but
 * not what was said in the last `settledAfterMs`: by then what was said to be written is, also by a process whose clock
 * is off by less than that.
 */
export class Buckets {
  readonly #link: CassandraLink;
  readonly #clock: Clock;
  readonly #kind: BucketKind;
  readonly #settledAfterMs: number;
  readonly #usedAtMs = new Map<number, number>();

  constructor(link: CassandraLink, clock: Clock, kind: BucketKind, settledAfterMs: number) {
    this.#link = link;
    this.#clock = clock;
    this.#kind = kind;
    this.#settledAfterMs = settledAfterMs;
  }

  /** Something is about to be written into the bucket. */
  async use(bucket: number): Promise<void> {
    const nowMs = this.#clock.now();
    if (nowMs - (this.#usedAtMs.get(bucket) ?? Number.NEGATIVE_INFINITY) < REMEMBERED_MS) return;
    await this.#link.execute(ADD, [this.#kind, bucket, microseconds(nowMs)]);
    this.#usedAtMs.delete(bucket);
    this.#usedAtMs.set(bucket, nowMs);
    if (this.#usedAtMs.size > MAX_REMEMBERED) this.#usedAtMs.delete(this.#usedAtMs.keys().next().value!);
  }

  /** The buckets in use up to that one, newest first. */
  async *list(upTo: number): AsyncGenerator<number> {
    for (let pageState: string | undefined; ; ) {
      const options = pageState === undefined ? { fetchSize: PAGE } : { fetchSize: PAGE, pageState };
      const result = await this.#link.execute(LIST, [this.#kind, upTo], options);
      for (const { bucket } of result.rows) yield Number(bucket);
      if (!result.pageState) return;
      pageState = result.pageState;
    }
  }

  /** Nothing was found in the bucket. */
  async remove(bucket: number): Promise<void> {
    const asOfMs = this.#clock.now() - this.#settledAfterMs;
    await this.#link.execute(REMOVE, [microseconds(asOfMs), this.#kind, bucket]);
  }
}

/** Cassandra's times of writes. */
function microseconds(ms: number): number {
  return Math.round(ms * 1_000);
}
