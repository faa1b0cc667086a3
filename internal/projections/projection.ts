import { asBimrideError, type BimrideError } from "../core/errors.ts";
import { sleep } from "../core/time.ts";
import { decodeEntry } from "../eventlog/codec.ts";
import type { LogEntry } from "../eventlog/log.ts";
import { PipelineOutput } from "../pipeline/output.ts";
import { processEntry } from "../pipeline/pipeline.ts";
import type { PartitionState } from "../pipeline/state.ts";
import { findGaps } from "./gaps.ts";
import { type Owned, OwnedPartitions } from "./owned-partitions.ts";
import { restorePartition, saveSnapshot } from "./partition-snapshot.ts";
import type { ProjectionDeps } from "./projection-deps.ts";
import { StoreLoop } from "./store-loop.ts";
import type { View } from "./view.ts";

const RETRY_MS = 1_000;

/**
 * A reader of the log that keeps a view up to date: log → pipeline → view → cursor. The cursor moves only past what the
 * view has stored or will put into the snapshot; a snapshot holds cursor and state, so that whoever takes a partition
 * replays the tail and comes to the same result. One reader serves all partitions at hand; {@link own} changes them.
 * When the log no longer has what comes after a partition's cursor, or an entry can't be taken in, that partition stops
 * and {@link health} says so: it never skips. The others go on.
 */
export class Projection implements AsyncDisposable {
  readonly #deps: ProjectionDeps;
  readonly #view: View;
  readonly #owned = new OwnedPartitions();
  readonly #stores: StoreLoop;
  readonly #stopTimers: () => void;
  /** Snapshots of the timer that are being saved, by partition: the last one must come after them. */
  readonly #saving = new Map<number, Promise<void>>();
  #reading: { abort: AbortController; ended: Promise<void> } | undefined;
  #changing: Promise<void> = Promise.resolve();
  #wanted: ReadonlySet<number> = new Set();
  #cancelRetry = () => {};
  #error: BimrideError | undefined;
  #closed = false;

  private constructor(deps: ProjectionDeps, view: View) {
    this.#deps = deps;
    this.#view = view;
    this.#stores = new StoreLoop(deps, view, () => this.#owned.cursors());
    const { clock, limits, log } = deps;
    let turn = 0;
    const stopSnapshots = clock.every(limits.snapshotPeriodMs / log.partitions, () => {
      const owned = this.#owned.get(turn++ % log.partitions);
      if (owned) this.#snapshotInTurn(owned);
    });
    const stopStores =
      view.storePeriodMs > 0 ? clock.every(view.storePeriodMs, () => this.#storeSoon()) : () => {};
    const stopWatching = view.watch?.(() => this.#storeSoon());
    this.#stopTimers = () => {
      stopSnapshots();
      stopStores();
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
    return this.#changeSoon(this.#wanted);
  }

  #changeSoon(wanted: ReadonlySet<number>): Promise<void> {
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
    return this.#error ? [] : this.#owned.goingOn;
  }

  /** True when the partition is at hand and nothing more is read of it. */
  isStopped(partition: number): boolean {
    const owned = this.#owned.get(partition);
    return owned !== undefined && (this.#error ?? owned.stopped) !== undefined;
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
    const gone = this.#owned.numbers.filter((partition) => !wanted.has(partition));
    const added = [...wanted].filter((partition) => !this.#owned.get(partition));
    if (this.#closed || gone.length + added.length === 0) return;
    this.#cancelRetry();
    if (gone.length > 0) {
      await this.#stopReading();
      await this.#release(gone);
      this.#startReading();
    }
    if (added.length === 0) return;
    // What is at hand goes on while snapshots are loaded.
    const outcomes = await Promise.allSettled(added.map((partition) => this.#take(partition)));
    await this.#stopReading();
    // A view with rows of its own stores in turn only: a snapshot counts on nothing being under way beside it.
    if (this.#view.waitsForStore) this.#storeSoon();
    else await this.#stores.once().catch((error) => this.#warn("store is away at the start", error));
    this.#startReading();
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (!failed) return;
    this.#cancelRetry = this.#deps.clock.after(RETRY_MS, () => {
      void this.#changeSoon(this.#wanted).catch((error) => this.#warn("partitions not restored yet", error));
    });
    throw failed.reason;
  }

  async #take(partition: number): Promise<void> {
    const { log, events } = this.#deps;
    const startedMs = this.#deps.clock.monotonic();
    const { last } = await log.bounds(partition);
    const state = await restorePartition(this.#deps, this.#view, partition);
    this.#owned.take(state, last);
    events?.taken(this.#view.name, partition, last - state.cursor, this.#deps.clock.monotonic() - startedMs);
  }

  async #release(partitions: readonly number[]): Promise<void> {
    const kept = partitions.filter(
      (partition) =>
        this.#deps.lease(partition)?.valid() && !this.#error && !this.#owned.get(partition)!.spoilt,
    );
    try {
      if (kept.length > 0)
        await (this.#view.waitsForStore ? this.#stores.soon(true) : this.#stores.once(true));
      await Promise.all(partitions.map((partition) => this.#saving.get(partition)));
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
    if (this.#owned.numbers.length === 0) return;
    const abort = new AbortController();
    this.#reading = { abort, ended: this.#read(abort.signal) };
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    while (!signal.aborted && !this.#error) {
      const readable = new Map(this.states.map(({ partition, cursor }) => [partition, cursor]));
      if (readable.size === 0) return;
      try {
        for await (const batch of log.read(readable, signal)) {
          this.#process(batch);
          if (this.#error) return;
          if (!this.#view.waitsForStore) this.#storeSoon();
          else if (clock.monotonic() - this.#stores.storedAtMs >= this.#view.storePeriodMs)
            await this.#stores.soon();
        }
        return;
      } catch (cause) {
        if (signal.aborted) return;
        const retried = await this.#stopWhatIsAtFault(asBimrideError(cause)).catch(asBimrideError);
        if (retried) {
          this.#warn("the log can't be read, trying again", retried);
          await sleep(clock, RETRY_MS, signal);
        }
      }
    }
  }

  /** Gives the error back when trying again may help. */
  async #stopWhatIsAtFault(error: BimrideError): Promise<BimrideError | undefined> {
    if (error.retryable) return error;
    if (error.code === "CURSOR_TOO_OLD") {
      const gaps = await findGaps(this.#deps.log, this.#owned.cursors());
      const found = gaps.filter(({ partition }) => !this.#owned.get(partition)!.stopped);
      for (const gap of found) {
        this.#owned.get(gap.partition)!.stopped = error;
        this.#deps.events?.gap(this.#view.name, gap);
        this.#logStop(error, gap);
      }
      if (found.length > 0) return undefined;
    }
    this.#stop(error);
    return undefined;
  }

  #logStop(error: BimrideError, where: object): void {
    const words = "projection stopped, see 'A projection that stopped' in docs/OPERATIONS.md";
    this.#deps.logger.error({ err: error, projection: this.#view.name, ...where }, words);
  }

  #process(batch: readonly LogEntry[]): void {
    const out = new PipelineOutput();
    for (const entry of batch) {
      const owned = this.#owned.get(entry.partition);
      if (!owned || owned.stopped) continue;
      try {
        const { sequence, loggedAtMs } = entry;
        const { records } = decodeEntry(entry.body);
        processEntry(owned.state, { sequence, loggedAtMs, records }, this.#deps.limits, out);
        this.#view.entry(owned.state, out);
      } catch (cause) {
        this.#stopAt(entry, owned, asBimrideError(cause));
      }
      out.clear();
    }
    this.#deps.events?.processed(this.#view.name, batch);
  }

  /** An entry that can't be taken in holds up its partition only. */
  #stopAt({ partition, sequence }: LogEntry, owned: Owned, error: BimrideError): void {
    owned.stopped = error;
    owned.spoilt = owned.state.cursor >= sequence;
    if (owned.spoilt) this.#view.released(partition);
    this.#deps.events?.stopped(this.#view.name, error.code, partition);
    this.#logStop(error, { partition, sequence, cursor: owned.state.cursor });
  }

  #storeSoon(): void {
    if (this.#stores.isWaiting) return;
    void this.#stores.soon().catch((cause) => {
      const error = asBimrideError(cause);
      if (error.retryable) this.#warn("not stored at the end", error);
      else this.#stop(error);
    });
  }

  #stop(error: BimrideError): void {
    if (this.#error) return;
    this.#error = error;
    this.#deps.events?.stopped(this.#view.name, error.code);
    this.#logStop(error, {});
  }

  #snapshotInTurn(owned: Owned): void {
    const { partition } = owned.state;
    if (this.#saving.has(partition)) return;
    const saving = this.#snapshot(owned)
      .catch((error) => this.#warn("snapshot not saved", error))
      .finally(() => this.#saving.delete(partition));
    this.#saving.set(partition, saving);
  }

  /** Takes the snapshot first, then stores all that came before it and isn't in it, then saves it. */
  async #snapshot(owned: Owned): Promise<void> {
    const { state } = owned;
    const { cursor, partition } = state;
    if (this.#error || owned.spoilt || cursor === owned.savedCursor) return;
    const own = this.#view.own(state);
    await saveSnapshot(this.#deps, this.#view, state, own, async () => {
      if (this.#view.waitsForStore) await this.#stores.soon();
      return !owned.spoilt && (this.#deps.lease(partition)?.valid() ?? false);
    });
    owned.savedCursor = cursor;
  }

  #warn(message: string, error: unknown): void {
    this.#deps.logger.warn({ err: error, projection: this.#view.name }, message);
  }
}
