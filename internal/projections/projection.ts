import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { ProjectionSnapshotSchema } from "../../gen/bimride/state/v1/projection_pb.ts";
import { asBimrideError, type BimrideError } from "../core/errors.ts";
import type { Limits } from "../core/limits.ts";
import { type Clock, sleep } from "../core/time.ts";
import { decodeEntry } from "../eventlog/codec.ts";
import type { EventLog, LogEntry } from "../eventlog/log.ts";
import type { Snapshots } from "../partitions/snapshots.ts";
import { PipelineOutput } from "../pipeline/output.ts";
import { createPartitionState, processEntry } from "../pipeline/pipeline.ts";
import { decodeState, encodeState } from "../pipeline/snapshot.ts";
import type { PartitionState } from "../pipeline/state.ts";

const SNAPSHOT_FORMAT = 1;
const RETRY_MS = 1_000;

/** What a projection does with what the pipeline makes of the log. */
export interface View {
  /** Names the projection in snapshots, logs and metrics. */
  readonly name: string;
  /** Least time between two calls of `store`; 0 stores after every batch. Snapshots and the end store at once. */
  readonly storePeriodMs: number;
  /**
   * A partition's state stands again, with the own part of its snapshot when there was one. Throws when that can't be
   * read; then, and when the log turns out to be another one, it is called again without.
   */
  restored(state: PartitionState, own: Uint8Array | undefined): void;
  /** An entry went through the pipeline. Synchronous: the hot loop. */
  entry(state: PartitionState, out: PipelineOutput): void;
  /** Writes to the stores what the entries since the last call changed. Repeated until it succeeds. */
  store(): Promise<void>;
  /** The own part of a partition's snapshot; everything before the cursor must be in the stores or in here. */
  own(state: PartitionState): Uint8Array;
}

export type ProjectionDeps = {
  log: EventLog;
  snapshots: Snapshots;
  clock: Clock;
  limits: Limits;
  logger: Logger;
};

/**
 * A reader of the log that keeps a view up to date: log → pipeline → view → cursor. The cursor moves only past what the
 * view has stored; a snapshot holds cursor and state, so that a restart replays the tail and comes to the same result.
 * When the log no longer has what comes after the cursor, or an entry can't be read, the projection stops and
 * {@link health} says so: it never skips.
 */
export class Projection implements AsyncDisposable {
  readonly #deps: ProjectionDeps;
  readonly #view: View;
  readonly #states: PartitionState[] = [];
  readonly #saved: number[] = [];
  readonly #abort = new AbortController();
  #target: number[] = [];
  #loop: Promise<void> = Promise.resolve();
  #error: BimrideError | undefined;
  #storing: Promise<void> = Promise.resolve();
  /** The call of the view's `store` that waits for the one under way to end. */
  #nextStore: Promise<void> | undefined;
  #storedAtMs = 0;
  #stored: number[] = [];
  #stopTimers = () => {};

  private constructor(deps: ProjectionDeps, view: View) {
    this.#deps = deps;
    this.#view = view;
  }

  /** Restores the last snapshots and starts reading. */
  static async start(deps: ProjectionDeps, view: View): Promise<Projection> {
    const projection = new Projection(deps, view);
    await projection.#restore();
    projection.#loop = projection.#run();
    const period = deps.limits.snapshotPeriodMs / deps.log.partitions;
    let turn = 0;
    const stopSnapshots = deps.clock.every(period, () => {
      const partition = turn++ % deps.log.partitions;
      void projection.#snapshot(partition).catch((error) => projection.#warn("snapshot not saved", error));
    });
    const stopStores =
      view.storePeriodMs > 0 ? deps.clock.every(view.storePeriodMs, () => projection.#storeSoon()) : () => {};
    projection.#stopTimers = () => {
      stopSnapshots();
      stopStores();
    };
    return projection;
  }

  /** Sequence of the last entry of the partition that went through the pipeline. */
  cursor(partition: number): number {
    return this.#states[partition]?.cursor ?? 0;
  }

  /** Sequence up to which the stores have everything. */
  storedCursor(partition: number): number {
    return this.#stored[partition] ?? 0;
  }

  /** Undefined while all is well, else why not; until what the log held at the start is stored, it is catching up. */
  health(): string | undefined {
    if (this.#error) return `${this.#view.name} projection stopped: ${this.#error.code}`;
    const behind = this.#target.some((sequence, partition) => this.storedCursor(partition) < sequence);
    return behind ? `${this.#view.name} projection is catching up` : undefined;
  }

  /** The partitions' states, to be read only. */
  get states(): readonly PartitionState[] {
    return this.#states;
  }

  /** Stops reading, stores what is open and saves snapshots. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopTimers();
    this.#abort.abort();
    await this.#loop;
    if (this.#error) return;
    try {
      for (let partition = 0; partition < this.#states.length; partition++) await this.#snapshot(partition);
    } catch (error) {
      this.#warn("not all could be stored at the end, the next start reads it from the log again", error);
    }
  }

  async #restore(): Promise<void> {
    const { log, snapshots, logger } = this.#deps;
    for (let partition = 0; partition < log.partitions; partition++) {
      const body = await snapshots.load(this.#snapshotName(partition));
      const { first, last } = await log.bounds(partition);
      let state = body && this.#resume(body, partition);
      if (state && state.cursor > last) {
        logger.warn({ partition }, "snapshot is ahead of the log: the log was replaced, starting anew");
        state = undefined;
      }
      if (!state) {
        state = createPartitionState(partition);
        state.cursor = first - 1;
        this.#view.restored(state, undefined);
      }
      this.#states.push(state);
      this.#saved.push(state.cursor);
      this.#target.push(last);
    }
    await this.#storeOnce().catch((error) => this.#warn("store is away at the start", error));
  }

  async #run(): Promise<void> {
    const signal = this.#abort.signal;
    const after = new Map(this.#states.map((state) => [state.partition, state.cursor]));
    try {
      for await (const batch of this.#deps.log.read(after, signal)) {
        this.#process(batch);
        if (this.#deps.clock.monotonic() - this.#storedAtMs >= this.#view.storePeriodMs) await this.#store();
      }
    } catch (error) {
      this.#error = asBimrideError(error);
      this.#deps.logger.error({ err: error, projection: this.#view.name }, "projection stopped");
    }
  }

  #process(batch: readonly LogEntry[]): void {
    const out = new PipelineOutput();
    for (const entry of batch) {
      const state = this.#states[entry.partition]!;
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
  }

  #storeSoon(): void {
    void this.#store().catch((error) => {
      this.#error ??= asBimrideError(error);
      this.#warn("store failed", error);
    });
  }

  /**
   * Stores until it works: a store that is away holds this projection, and nobody else. What was processed before the
   * call is stored when it resolves. At most one store is under way and one waits, whoever asks.
   */
  #store(): Promise<void> {
    this.#nextStore ??= this.#storing.then(() => {
      this.#nextStore = undefined;
      return this.#storeUntilDone();
    });
    this.#storing = this.#nextStore;
    return this.#nextStore;
  }

  async #storeUntilDone(): Promise<void> {
    for (;;) {
      try {
        return await this.#storeOnce();
      } catch (error) {
        if (this.#abort.signal.aborted || !asBimrideError(error).retryable) throw error;
        this.#warn("store is away, trying again", error);
        await sleep(this.#deps.clock, RETRY_MS, this.#abort.signal);
      }
    }
  }

  async #storeOnce(): Promise<void> {
    const cursors = this.#states.map((state) => state.cursor);
    await this.#view.store();
    this.#stored = cursors;
    this.#storedAtMs = this.#deps.clock.monotonic();
  }

  /** Takes the snapshot first, then stores all that came before it, then saves it: nothing is in between. */
  async #snapshot(partition: number): Promise<void> {
    const state = this.#states[partition]!;
    const { cursor } = state;
    if (this.#error || cursor === this.#saved[partition]) return;
    const own = this.#view.own(state);
    const snapshot = create(ProjectionSnapshotSchema, {
      format: SNAPSHOT_FORMAT,
      pipeline: encodeState(state),
      own,
    });
    const body = toBinary(ProjectionSnapshotSchema, snapshot);
    await this.#store();
    await this.#deps.snapshots.save(this.#snapshotName(partition), body);
    this.#saved[partition] = cursor;
  }

  #snapshotName(partition: number): string {
    return `${this.#view.name}-${String(partition).padStart(2, "0")}`;
  }

  #warn(message: string, error: unknown): void {
    this.#deps.logger.warn({ err: error, projection: this.#view.name }, message);
  }

  /** A snapshot that can't be used only lengthens the replay: all that the log keeps is read again. */
  #resume(body: Uint8Array, partition: number): PartitionState | undefined {
    try {
      const snapshot = fromBinary(ProjectionSnapshotSchema, body);
      if (snapshot.format !== SNAPSHOT_FORMAT) throw new RangeError(`format ${snapshot.format} is not known`);
      const state = decodeState(snapshot.pipeline, this.#deps.limits);
      this.#view.restored(state, snapshot.own);
      return state;
    } catch (error) {
      this.#warn(`snapshot of partition ${partition} can't be used, reading the log instead`, error);
      return undefined;
    }
  }
}
