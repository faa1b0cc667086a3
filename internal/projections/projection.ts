import { asBimrideError, type BimrideError } from "../core/errors.ts";
import { sleep } from "../core/time.ts";
import { decodeEntry } from "../eventlog/codec.ts";
import type { LogEntry } from "../eventlog/log.ts";
import { PipelineOutput } from "../pipeline/output.ts";
import { processEntry } from "../pipeline/pipeline.ts";
import type { PartitionState } from "../pipeline/state.ts";
import { restorePartition, saveSnapshot } from "./partition-snapshot.ts";
import type { ProjectionDeps } from "./projection-deps.ts";
import { StoreLoop } from "./store-loop.ts";
import type { View } from "./view.ts";

const RETRY_MS = 1_000;

/** A partition that the projection works on. */
type Owned = {
  state: PartitionState;
  /** Cursor of the last snapshot saved. */
  savedCursor: number;
  /** What the log held when the partition was taken. */
  target: number;
};

/**
 * A reader of the log that keeps a view up to date: log → pipeline → view → cursor. The cursor moves only past what the
 * view has stored or will put into the snapshot; a snapshot holds cursor and state, so that whoever takes a partition
 * replays the tail and comes to the same result. One reader serves all partitions at hand; {@link own} changes them.
 * When the log no longer has what comes after the cursor, or an entry can't be read, the projection stops and
 * {@link health} says so: it never skips.
 */
export class Projection implements AsyncDisposable {
  readonly #deps: ProjectionDeps;
  readonly #view: View;
  readonly #owned = new Map<number, Owned>();
  readonly #stores: StoreLoop;
  readonly #stopTimers: () => void;
  #reading: { abort: AbortController; ended: Promise<void> } | undefined;
  #changing: Promise<void> = Promise.resolve();
  #error: BimrideError | undefined;
  #closed = false;

  private constructor(deps: ProjectionDeps, view: View) {
    this.#deps = deps;
    this.#view = view;
    this.#stores = new StoreLoop(deps, view, () => this.#cursors());
    const { clock, limits, log } = deps;
    let turn = 0;
    const stopSnapshots = clock.every(limits.snapshotPeriodMs / log.partitions, () => {
      const owned = this.#owned.get(turn++ % log.partitions);
      if (owned) void this.#snapshot(owned).catch((error) => this.#warn("snapshot not saved", error));
    });
    const stopStores =
      view.storePeriodMs > 0 ? clock.every(view.storePeriodMs, () => this.#storeSoon()) : () => {};
    this.#stopTimers = () => {
      stopSnapshots();
      stopStores();
    };
  }

  /** Restores the last snapshots of the partitions and starts reading. All partitions unless told otherwise. */
  static async start(
    deps: ProjectionDeps,
    view: View,
    partitions: readonly number[] = Array.from({ length: deps.log.partitions }, (_, i) => i),
  ): Promise<Projection> {
    const projection = new Projection(deps, view);
    await projection.own(partitions);
    return projection;
  }

  /**
   * Works on these partitions from now on. What is given away is stored and saved first where the lease still allows
   * it; what is new is restored from its snapshot. Resolves when both are done.
   */
  own(partitions: readonly number[]): Promise<void> {
    const wanted = new Set(partitions);
    const changed = this.#changing.then(() => this.#change(wanted));
    this.#changing = changed.catch(() => {}); // whoever called own is told
    return changed;
  }

  /** Sequence of the last entry of the partition that went through the pipeline; 0 for one that isn't at hand. */
  cursor(partition: number): number {
    return this.#owned.get(partition)?.state.cursor ?? 0;
  }

  /** Sequence up to which the stores have everything, or a snapshot will. */
  storedCursor(partition: number): number {
    return this.#stores.cursor(partition);
  }

  /** Undefined while all is well, else why not; until what the log held at the start is stored, it is catching up. */
  health(): string | undefined {
    if (this.#error) return `${this.#view.name} projection stopped: ${this.#error.code}`;
    for (const [partition, { target }] of this.#owned)
      if (this.storedCursor(partition) < target) return `${this.#view.name} projection is catching up`;
    return undefined;
  }

  /** The view's name. */
  get name(): string {
    return this.#view.name;
  }

  /** The states of the partitions at hand, to be read only. */
  get states(): PartitionState[] {
    return [...this.#owned.values()].map(({ state }) => state);
  }

  /** Stops reading, stores what is open and saves snapshots. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopTimers();
    this.#stores.close();
    await this.own([]);
    this.#closed = true;
  }

  async #change(wanted: ReadonlySet<number>): Promise<void> {
    const gone = [...this.#owned.keys()].filter((partition) => !wanted.has(partition));
    const added = [...wanted].filter((partition) => !this.#owned.has(partition));
    if (this.#closed || gone.length + added.length === 0) return;
    await this.#stopReading();
    await this.#release(gone);
    await Promise.all(added.map((partition) => this.#take(partition)));
    await this.#stores.once().catch((error) => this.#warn("store is away at the start", error));
    this.#startReading();
  }

  async #take(partition: number): Promise<void> {
    const { log, events } = this.#deps;
    const startedMs = this.#deps.clock.monotonic();
    const { last } = await log.bounds(partition);
    const state = await restorePartition(this.#deps, this.#view, partition);
    this.#owned.set(partition, { state, savedCursor: state.cursor, target: last });
    events?.taken(this.#view.name, partition, last - state.cursor, this.#deps.clock.monotonic() - startedMs);
  }

  async #release(partitions: readonly number[]): Promise<void> {
    const kept = partitions.filter((partition) => this.#deps.lease(partition)?.valid() && !this.#error);
    try {
      if (kept.length > 0) await this.#stores.soon(true);
      await Promise.all(kept.map((partition) => this.#snapshot(this.#owned.get(partition)!)));
    } catch (error) {
      this.#warn("not all could be stored at the end, whoever comes next reads it from the log again", error);
    }
    for (const partition of partitions) {
      this.#owned.delete(partition);
      this.#view.released(partition);
      this.#deps.events?.released(this.#view.name, partition);
    }
  }

  async #stopReading(): Promise<void> {
    this.#reading?.abort.abort();
    await this.#reading?.ended;
    this.#reading = undefined;
  }

  #startReading(): void {
    this.#error = undefined;
    if (this.#owned.size === 0) return;
    const abort = new AbortController();
    this.#reading = { abort, ended: this.#read(abort.signal) };
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { clock, log, logger } = this.#deps;
    while (!signal.aborted && !this.#error) {
      try {
        for await (const batch of log.read(this.#cursors(), signal)) {
          this.#process(batch);
          if (clock.monotonic() - this.#stores.storedAtMs >= this.#view.storePeriodMs)
            await this.#stores.soon();
        }
        return;
      } catch (cause) {
        const error = asBimrideError(cause);
        if (error.retryable && !signal.aborted) {
          this.#warn("the log can't be read, trying again", error);
          await sleep(clock, RETRY_MS, signal);
        } else if (!signal.aborted) {
          this.#error = error;
          this.#deps.events?.stopped(this.#view.name, error.code);
          logger.error({ err: error, projection: this.#view.name }, "projection stopped");
        }
      }
    }
  }

  #process(batch: readonly LogEntry[]): void {
    const out = new PipelineOutput();
    for (const entry of batch) {
      const state = this.#owned.get(entry.partition)?.state;
      if (!state) continue;
      const { records } = decodeEntry(entry.body);
      processEntry(
        state,
        { sequence: entry.sequence, loggedAtMs: entry.loggedAtMs, records },
        this.#deps.limits,
        out,
      );
      this.#view.entry(state, out);
      out.clear();
    }
    this.#deps.events?.processed(this.#view.name, batch);
  }

  #storeSoon(): void {
    void this.#stores.soon().catch((error) => {
      this.#error ??= asBimrideError(error);
      this.#warn("store failed", error);
    });
  }

  /** Takes the snapshot first, then stores all that came before it and isn't in it, then saves it. */
  async #snapshot(owned: Owned): Promise<void> {
    const { state } = owned;
    const { cursor, partition } = state;
    if (this.#error || cursor === owned.savedCursor) return;
    const own = this.#view.own(state);
    await saveSnapshot(this.#deps, this.#view, state, own, async () => {
      await this.#stores.soon();
      return this.#deps.lease(partition)?.valid() ?? false;
    });
    owned.savedCursor = cursor;
  }

  #cursors(): Map<number, number> {
    return new Map([...this.#owned].map(([partition, { state }]) => [partition, state.cursor]));
  }

  #warn(message: string, error: unknown): void {
    this.#deps.logger.warn({ err: error, projection: this.#view.name }, message);
  }
}
