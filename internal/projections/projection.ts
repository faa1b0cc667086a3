import { asBimrideError } from "../core/errors.ts";
import { sleep, systemClock } from "../core/time.ts";
import { decodeEntry } from "../eventlog/codec.ts";
import type { LogEntry } from "../eventlog/log.ts";
import { PipelineOutput } from "../pipeline/output.ts";
import { processEntry } from "../pipeline/pipeline.ts";
import type { PartitionState } from "../pipeline/state.ts";
import { Faults } from "./faults.ts";
import { type Owned, OwnedPartitions } from "./owned-partitions.ts";
import { restorePartition } from "./partition-snapshot.ts";
import type { ProjectionDeps } from "./projection-deps.ts";
import { type Reading, Readings } from "./readings.ts";
import { SnapshotTurns } from "./snapshot-turns.ts";
import { StoreLoop } from "./store-loop.ts";
import type { View } from "./view.ts";

const RETRY_MS = 1_000;

/**
 * A reader of the log that keeps a view up to date: log → pipeline → view → cursor. The cursor moves only past what the
 * view has stored or will put into the snapshot; a snapshot holds cursor and state, so that whoever takes a partition
 * replays the tail and comes to the same result. {@link own} changes the partitions.
 * When the log no longer has what comes after a partition's cursor, or an entry can't be taken in, that partition stops
 * and {@link health} says so: it never skips. The others go on.
 */
export class Projection implements AsyncDisposable {
  readonly #deps: ProjectionDeps;
  readonly #view: View;
  readonly #owned = new OwnedPartitions();
  readonly #stores: StoreLoop;
  readonly #stopTimers: () => void;
  readonly #snapshots: SnapshotTurns;
  readonly #faults: Faults;
  readonly #readings = new Readings((reading) => this.#read(reading));
  #changing: Promise<void> = Promise.resolve();
  #wanted: ReadonlySet<number> = new Set();
  #cancelRetry = () => {};
  #cancelStore: (() => void) | undefined;
  #closed = false;

  private constructor(deps: ProjectionDeps, view: View) {
    this.#deps = deps;
    this.#view = view;
    this.#stores = new StoreLoop(deps, view, () => this.#owned.cursors());
    this.#snapshots = new SnapshotTurns(deps, view, this.#stores);
    this.#faults = new Faults(deps, view);
    const { clock, limits, log } = deps;
    let turn = 0;
    const stopSnapshots = clock.every(limits.snapshotPeriodMs / log.partitions, () => {
      const owned = this.#owned.get(turn++ % log.partitions);
      if (owned && !owned.gone && !this.#faults.error) this.#snapshots.begin(owned);
    });
    const stopStores =
      view.waitsForStore && view.storePeriodMs > 0
        ? clock.every(view.storePeriodMs, () => this.#storeSoon())
        : () => {};
    const stopWatching = view.watch?.(() => this.#storeSoon());
    this.#stopTimers = () => {
      stopSnapshots();
      stopStores();
      this.#cancelStore?.();
      stopWatching?.();
    };
  }

  /** Restores the last snapshots of the partitions and starts reading. All partitions unless told otherwise. */
  static async start(
    deps: ProjectionDeps,
    view: View,
    partitions: readonly number[] = Array.from({ length: deps.log.partitions }, (_, i) => i),
  ): Promise<Projection> {
    const projection = new Projection(deps, view);
    try {
      await projection.own(partitions);
    } catch (error) {
      await projection[Symbol.asyncDispose]();
      throw error;
    }
    return projection;
  }

  /**
   * Works on these partitions from now on. What is given away is stored and saved first where the lease still allows
   * it; what is new is restored from its snapshot. Resolves when both are done; rejects when something new could not be
   * restored, and tries that again by itself: the others go on.
   */
  own(partitions: readonly number[]): Promise<void> {
    this.#wanted = new Set(partitions);
    return this.#inTurn(() => this.#change(this.#wanted));
  }

  #inTurn(change: () => Promise<void>): Promise<void> {
    const changed = this.#changing.then(change);
    this.#changing = changed.catch(() => {}); // whoever asked for it is told
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
    if (this.#faults.error) return `${this.#view.name} projection stopped: ${this.#faults.error.code}`;
    const why = this.#owned.stopReason();
    if (why) return `${this.#view.name} projection stopped: ${why}`;
    const isMissing = [...this.#wanted].some((partition) => !this.#owned.get(partition));
    if (isMissing || this.#owned.areBehind((partition) => this.storedCursor(partition)))
      return `${this.#view.name} projection is catching up`;
    return undefined;
  }

  /** The view's name. */
  get name(): string {
    return this.#view.name;
  }

  /** The partitions at hand, stopped ones too. */
  get partitions(): number[] {
    return this.#owned.numbers;
  }

  /** The states of the partitions at hand that go on, to be read only. */
  get states(): PartitionState[] {
    return this.#faults.error ? [] : this.#owned.goingOn;
  }

  /** True when the partition is at hand and nothing more is read of it. */
  isStopped(partition: number): boolean {
    const owned = this.#owned.get(partition);
    return owned !== undefined && (this.#faults.error ?? owned.stopped) !== undefined;
  }

  /** Stops reading, stores what is open and saves snapshots. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopTimers();
    this.#stores.close();
    await this.own([]);
    this.#cancelRetry();
    this.#closed = true;
  }

  async #change(wanted: ReadonlySet<number>): Promise<void> {
    const gone = this.#owned.all.filter(({ state }) => !wanted.has(state.partition));
    const added = [...wanted].filter((partition) => !this.#owned.get(partition));
    if (this.#closed || gone.length + added.length === 0) return;
    this.#cancelRetry();
    if (gone.length > 0) await this.#release(gone);
    const outcomes = await Promise.allSettled(added.map((partition) => this.#take(partition)));
    const taken = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    if (taken.length > 0) this.#storeSoon();
    await this.#readOn(taken);
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (!failed) return;
    this.#cancelRetry = this.#deps.clock.after(RETRY_MS, () => {
      void this.#inTurn(() => this.#change(this.#wanted)).catch((error) =>
        this.#warn("partitions not restored yet", error),
      );
    });
    throw failed.reason;
  }

  async #take(partition: number): Promise<Owned> {
    const { log, events } = this.#deps;
    const startedMs = this.#deps.clock.monotonic();
    const { last } = await log.bounds(partition);
    const state = await restorePartition(this.#deps, this.#view, partition);
    const owned = this.#owned.take(state, last);
    events?.taken(this.#view.name, partition, last - state.cursor, this.#deps.clock.monotonic() - startedMs);
    return owned;
  }

  async #readOn(taken: readonly Owned[]): Promise<void> {
    if (this.#faults.error) {
      await this.#readings.stop();
      this.#faults.clear();
      this.#deps.events?.goesOn(
        this.#view.name,
        this.#owned.goingOn.map(({ partition }) => partition),
      );
      this.#readings.start(this.#owned.all);
      return;
    }
    this.#readings.start(taken);
    await this.#readings.join();
  }

  async #release(gone: readonly Owned[]): Promise<void> {
    for (const owned of gone) owned.gone = true;
    const { lease, events } = this.#deps;
    const numbers = (owned: readonly Owned[]) => owned.map(({ state }) => state.partition);
    const kept = gone.filter(
      ({ state, spoilt }) => lease(state.partition)?.valid() && !this.#faults.error && !spoilt,
    );
    try {
      if (kept.length > 0)
        await (this.#view.waitsForStore
          ? this.#stores.soon(numbers(kept))
          : this.#stores.once(new Set(numbers(kept))));
      await this.#snapshots.last(kept);
    } catch (error) {
      this.#warn("not all could be stored at the end, whoever comes next reads it from the log again", error);
    }
    for (const partition of numbers(gone)) {
      this.#owned.delete(partition);
      this.#view.released(partition);
      events?.released(this.#view.name, partition);
    }
  }

  async #read(reading: Reading): Promise<void> {
    const { clock, log } = this.#deps;
    const { signal } = reading;
    while (!signal.aborted && !this.#faults.error) {
      const cursors = reading.cursors();
      if (cursors.size === 0) return;
      let behind = !reading.isCaughtUp;
      try {
        for await (const batch of log.read(cursors, signal)) {
          this.#process(batch, reading);
          if (this.#faults.error) return;
          if (behind && reading.isCaughtUp) void this.#inTurn(() => this.#readings.join());
          behind = !reading.isCaughtUp;
          if (!this.#view.waitsForStore) this.#storeInTime();
          else if (clock.monotonic() - this.#stores.storedAtMs >= this.#view.storePeriodMs)
            await this.#stores.soon();
        }
        return;
      } catch (cause) {
        if (signal.aborted) return;
        const retried = await this.#faults
          .stopWhatIsAtFault(asBimrideError(cause), reading, cursors)
          .catch(asBimrideError);
        if (retried) {
          this.#warn("the log can't be read, trying again", retried);
          await sleep(clock, RETRY_MS, signal);
        }
      }
    }
  }

  #process(batch: readonly LogEntry[], reading: Reading): void {
    const out = new PipelineOutput();
    for (const entry of batch) {
      const owned = reading.ownedOf(entry);
      if (!owned) continue;
      try {
        const { sequence, loggedAtMs } = entry;
        const { records } = decodeEntry(entry.body);
        processEntry(owned.state, { sequence, loggedAtMs, records }, this.#deps.limits, out);
        this.#view.entry(owned.state, out);
      } catch (cause) {
        this.#faults.stopAt(entry, owned, asBimrideError(cause));
      }
      out.clear();
    }
    // A partition that nothing happens in moves on with the others: its cursor would fall behind the log's beginning.
    if (this.#deps.log.numbersTogether && batch.length > 0) reading.readThrough(batch.at(-1)!.sequence);
    this.#deps.events?.processed(this.#view.name, batch);
  }

  /** A few batches share a call of the store, on the machine's own time: it is the network that is spared. */
  #storeInTime(): void {
    if (this.#view.storePeriodMs === 0) this.#storeSoon();
    else
      this.#cancelStore ??= systemClock.after(this.#view.storePeriodMs, () => {
        this.#cancelStore = undefined;
        if (!this.#closed) this.#storeSoon();
      });
  }

  #storeSoon(): void {
    if (this.#stores.isWaiting) return;
    void this.#stores.soon().catch((cause) => {
      const error = asBimrideError(cause);
      if (error.retryable) this.#warn("not stored at the end", error);
      else this.#faults.stop(error);
    });
  }

  #warn(message: string, error: unknown): void {
    this.#deps.logger.warn({ err: error, projection: this.#view.name }, message);
  }
}
