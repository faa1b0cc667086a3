import { asBimrideError } from "../core/errors.ts";
import { sleep } from "../core/time.ts";
import type { ProjectionDeps } from "./projection-deps.ts";
import type { View } from "./view.ts";

const RETRY_MS = 1_000;

/** Calls a view's `store`: one at a time, again until it works. A store that is away holds this projection, and nobody else. */
export class StoreLoop {
  readonly #deps: ProjectionDeps;
  readonly #view: View;
  readonly #cursorsNow: () => Map<number, number>;
  readonly #closing = new AbortController();
  #underWay: Promise<void> = Promise.resolve();
  /** The call that waits for the one under way to end. */
  #next: Promise<void> | undefined;
  /** Of these what waits is to store all. */
  #all = new Set<number>();
  #stored = new Map<number, number>();
  #storedAtMs = 0;

  /** @param cursorsNow the partitions' cursors */
  constructor(deps: ProjectionDeps, view: View, cursorsNow: () => Map<number, number>) {
    this.#deps = deps;
    this.#view = view;
    this.#cursorsNow = cursorsNow;
  }

  /** Monotonic time of the last success, milliseconds. */
  get storedAtMs(): number {
    return this.#storedAtMs;
  }

  /** Sequence up to which the partition's entries have been through `store`. */
  cursor(partition: number): number {
    return this.#stored.get(partition) ?? 0;
  }

  /** True while a call of `soon` waits for the one under way: another one would add nothing. */
  get isWaiting(): boolean {
    return this.#next !== undefined;
  }

  /** No more repeats from now on: what fails is reported. */
  close(): void {
    this.#closing.abort();
  }

  /**
   * What was processed before the call is stored when it resolves. At most one store is under way and one waits,
   * whoever asks.
   * @param all partitions of which also what would wait for a better moment is stored
   */
  soon(all: readonly number[] = []): Promise<void> {
    for (const partition of all) this.#all.add(partition);
    this.#next ??= this.#underWay.then(() => {
      const withAll = this.#all;
      this.#next = undefined;
      this.#all = new Set();
      return this.#untilDone(withAll);
    });
    this.#underWay = this.#next.catch(() => {}); // whoever asked is told
    return this.#next;
  }

  /** One try. */
  async once(all: ReadonlySet<number>): Promise<void> {
    const cursors = this.#cursorsNow();
    await this.#view.store(all);
    this.#stored = cursors;
    this.#storedAtMs = this.#deps.clock.monotonic();
  }

  async #untilDone(all: ReadonlySet<number>): Promise<void> {
    const { signal } = this.#closing;
    for (;;) {
      try {
        return await this.once(all);
      } catch (error) {
        if (signal.aborted || !asBimrideError(error).retryable) throw error;
        this.#deps.logger.warn({ err: error, projection: this.#view.name }, "store is away, trying again");
        await sleep(this.#deps.clock, RETRY_MS, signal);
      }
    }
  }
}
