import type { BimrideError } from "../core/errors.ts";
import type { PartitionState } from "../pipeline/state.ts";

/** A partition that the projection works on. */
export type Owned = {
  state: PartitionState;
  /** Cursor of the last snapshot saved. */
  savedCursor: number;
  /** What the log held when the partition was taken. */
  target: number;
  /** It is given away: nothing more is taken in of it. */
  gone: boolean;
  /** Why nothing more is read of it. */
  stopped: BimrideError | undefined;
  /** An entry was taken in by half: neither stored nor saved any more, the next start reads it from the log again. */
  spoilt: boolean;
};

/** The partitions of a projection, those that go on and those that stopped. */
export class OwnedPartitions {
  readonly #owned = new Map<number, Owned>();

  get(partition: number): Owned | undefined {
    return this.#owned.get(partition);
  }

  /** @param target what the log holds now */
  take(state: PartitionState, target: number): Owned {
    const savedCursor = state.cursor;
    const owned: Owned = { state, savedCursor, target, gone: false, stopped: undefined, spoilt: false };
    this.#owned.set(state.partition, owned);
    return owned;
  }

  delete(partition: number): void {
    this.#owned.delete(partition);
  }

  get all(): Owned[] {
    return [...this.#owned.values()];
  }

  get numbers(): number[] {
    return [...this.#owned.keys()];
  }

  /** The states of those that go on. */
  get goingOn(): PartitionState[] {
    return [...this.#owned.values()].filter(({ stopped }) => !stopped).map(({ state }) => state);
  }

  /** Cursors of all, stopped ones too: what was read is to be stored all the same. */
  cursors(): Map<number, number> {
    return new Map([...this.#owned].map(([partition, { state }]) => [partition, state.cursor]));
  }

  /** Which stopped and why, in words; undefined when none did. */
  stopReason(): string | undefined {
    const stopped = [...this.#owned].filter(([, owned]) => owned.stopped);
    if (stopped.length === 0) return undefined;
    return stopped.map(([partition, owned]) => `${owned.stopped!.code} in partition ${partition}`).join(", ");
  }

  /** True while something that the log held when its partition was taken is not stored. */
  areBehind(storedCursor: (partition: number) => number): boolean {
    return [...this.#owned].some(([partition, { target }]) => storedCursor(partition) < target);
  }
}
