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

  /**
   * Makes a write to the shard; rejects as it does.
   * @param call says the number as the shard's new mark
   * @param markIn of the answer, the mark as it was
   */
  async write<Answer>(
    shard: number,
    call: (number: number) => Promise<Answer>,
    markIn: (answer: Answer) => Buffer | null,
  ): Promise<Answer> {
    const at = this.#shards[shard]!;
    const number = at.watch.next();
    let answer: Answer;
    try {
      answer = await call(number);
    } catch (error) {
      at.watch.failed(number);
      throw error;
    }
    at.answeredAtMs = this.#clock.monotonic();
    const before = markIn(answer);
    if (at.watch.answered(number, before === null ? undefined : Number(before.toString("latin1"))))
      for (const listener of this.#listeners) listener();
    return answer;
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
    const set = (number: number) => this.#link.command("SET", shard.key, number, "PX", this.#ttlMs, "GET");
    try {
      await this.write(index, set, (before) => before as Buffer | null);
    } catch {
      // Redis is away: the next write or question that it answers tells.
    } finally {
      shard.asking = false;
    }
  }
}
