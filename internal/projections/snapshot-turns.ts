import type { Owned } from "./owned-partitions.ts";
import { saveSnapshot } from "./partition-snapshot.ts";
import type { ProjectionDeps } from "./projection-deps.ts";
import type { StoreLoop } from "./store-loop.ts";
import type { View } from "./view.ts";

/** Saves snapshots of partitions: one at a time of each, after all that came before it and isn't in it is stored. */
export class SnapshotTurns {
  readonly #deps: ProjectionDeps;
  readonly #view: View;
  readonly #stores: StoreLoop;
  /** Those of the timer that are being saved, by partition: the last one must come after them. */
  readonly #saving = new Map<number, Promise<void>>();

  constructor(deps: ProjectionDeps, view: View, stores: StoreLoop) {
    this.#deps = deps;
    this.#view = view;
    this.#stores = stores;
  }

  /** Unless one of the partition is being saved. */
  begin(owned: Owned): void {
    const { partition } = owned.state;
    if (this.#saving.has(partition)) return;
    const saving = this.#save(owned)
      .catch((error) => {
        this.#deps.logger.warn({ err: error, projection: this.#view.name }, "snapshot not saved");
      })
      .finally(() => this.#saving.delete(partition));
    this.#saving.set(partition, saving);
  }

  /** The last ones of partitions that go: nothing more is taken in of them. */
  async last(owned: readonly Owned[]): Promise<void> {
    await Promise.all(owned.map(({ state }) => this.#saving.get(state.partition)));
    await Promise.all(owned.map((each) => this.#save(each)));
  }

  async #save(owned: Owned): Promise<void> {
    const { state } = owned;
    const { cursor, partition } = state;
    if (owned.spoilt || cursor === owned.savedCursor) return;
    // The partition may be lost and come back meanwhile: then this belongs to the life before.
    const lease = this.#deps.lease(partition);
    const own = this.#view.own(state);
    const saved = await saveSnapshot(this.#deps, this.#view, state, own, async () => {
      if (this.#view.waitsForStore) await this.#stores.soon();
      return !owned.spoilt && (lease?.valid() ?? false);
    });
    if (saved) owned.savedCursor = cursor;
  }
}
