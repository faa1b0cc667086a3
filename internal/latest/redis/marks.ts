import type { Clock } from "../../core/time.ts";
import type { RedisLink } from "../../redis/link.ts";
import type { ShardKeys } from "./keys.ts";
import { LossWatch } from "./loss-watch.ts";

/** While nothing is written, Redis is asked this often whether it still has what was. */
const ASK_PERIOD_MS = 500;

type Shard = { key: string; watch: LossWatch; answeredAtMs: number; asking: boolean };

/** This writer's marks in the shards: what each write says and hears (loss-watch.ts), and questions while all is silent. */
export class Marks implements Disposable {
  readonly #link: RedisLink;
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #shards: Shard[];
  readonly #listeners = new Set<() => void>();
  readonly #stop: () => void;

  /** @param ttlMs expiry of the marks, as of all keys */
  constructor(link: RedisLink, shards: readonly ShardKeys[], ttlMs: number, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
    this.#ttlMs = ttlMs;
    this.#shards = shards.map(({ mark }) => ({
      key: mark,
      watch: new LossWatch(),
      answeredAtMs: 0,
      asking: false,
    }));
    this.#stop = clock.every(ASK_PERIOD_MS, () => this.#askTheSilent());
  }

  /** The number that the next write to the shard says. */
  next(shard: number): number {
    return this.#shards[shard]!.watch.next();
  }

  /** A write was answered. @param before the mark as it was */
  answered(shard: number, number: number, before: Buffer | null): void {
    const { watch } = this.#shards[shard]!;
    this.#shards[shard]!.answeredAtMs = this.#clock.monotonic();
    const known = before === null ? undefined : Number(before.toString("latin1"));
    if (watch.answered(number, known)) for (const listener of this.#listeners) listener();
  }

  /** Calls back whenever writes are found to be missing; the returned function ends it. */
  onLost(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  [Symbol.dispose](): void {
    this.#stop();
    this.#listeners.clear();
  }

  #askTheSilent(): void {
    const silentMs = this.#clock.monotonic() - ASK_PERIOD_MS / 2;
    for (const [index, shard] of this.#shards.entries())
      if (shard.watch.hasWritten && !shard.asking && shard.answeredAtMs <= silentMs && this.#link.ready)
        void this.#ask(index, shard);
  }

  async #ask(index: number, shard: Shard): Promise<void> {
    shard.asking = true;
    const number = shard.watch.next();
    try {
      const before = await this.#link.command("SET", shard.key, number, "PX", this.#ttlMs, "GET");
      this.answered(index, number, before as Buffer | null);
    } catch {
      // Redis is away: the next write or question that it answers tells, unless it carried this one out all the same.
    } finally {
      shard.asking = false;
    }
  }
}
