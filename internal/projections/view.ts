import type { PipelineOutput } from "../pipeline/output.ts";
import type { PartitionState } from "../pipeline/state.ts";

/** What a projection does with what the pipeline makes of the log. */
export interface View {
  /** Names the projection in snapshots, logs and metrics. */
  readonly name: string;
  /**
   * Reading and snapshots wait for `store`. False for a view that holds little and writes all anew from the pipeline's
   * state: its store may be away without holding anything up.
   */
  readonly waitsForStore: boolean;
  /** Least time between two calls of `store`; 0 stores after every batch. Snapshots and the end store at once. */
  readonly storePeriodMs: number;
  /**
   * A partition's state stands, with the own part of its snapshot when there was one. Throws when that can't be read;
   * then, and when the log turns out to be another one, it is called again without.
   */
  restored(state: PartitionState, own: Uint8Array | undefined): void;
  /** The partition is somebody else's from now on: forget it. */
  released(partition: number): void;
  /** An entry went through the pipeline. Synchronous: the hot loop. */
  entry(state: PartitionState, out: PipelineOutput): void;
  /**
   * Writes to the stores what the entries since the last call changed, of partitions whose lease is valid. Repeated
   * until it succeeds.
   * @param all partitions of which also what would wait for a better moment is written
   */
  store(all: ReadonlySet<number>): Promise<void>;
  /**
   * Once, at the start: `store` is also due whenever the view calls `due`, though no entry came.
   * @returns ends it
   */
  watch?(due: () => void): () => void;
  /** The own part of a partition's snapshot; after the next `store`, what came before the cursor is there or in here. */
  own(state: PartitionState): Uint8Array;
}
