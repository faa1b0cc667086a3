import type { BimrideError } from "../core/errors.ts";
import type { LogEntry } from "../eventlog/log.ts";
import { findGaps } from "./gaps.ts";
import type { Owned } from "./owned-partitions.ts";
import type { ProjectionDeps } from "./projection-deps.ts";
import type { Reading } from "./readings.ts";
import type { View } from "./view.ts";

/** What stops a projection or some of its partitions: said, counted and kept, never skipped. */
export class Faults {
  readonly #deps: ProjectionDeps;
  readonly #view: View;
  #error: BimrideError | undefined;

  constructor(deps: ProjectionDeps, view: View) {
    this.#deps = deps;
    this.#view = view;
  }

  /** Why nothing goes on; undefined while something does. */
  get error(): BimrideError | undefined {
    return this.#error;
  }

  /** The projection begins again. */
  clear(): void {
    this.#error = undefined;
  }

  /** Nothing goes on. */
  stop(error: BimrideError): void {
    if (this.#error) return;
    this.#error = error;
    this.#deps.events?.stopped(this.#view.name, error.code);
    this.#log(error, {});
  }

  /** An entry that can't be taken in holds up its partition only. */
  stopAt({ partition, sequence }: LogEntry, owned: Owned, error: BimrideError): void {
    owned.stopped = error;
    owned.spoilt = owned.state.cursor >= sequence;
    if (owned.spoilt) this.#view.released(partition);
    this.#deps.events?.stopped(this.#view.name, error.code, partition);
    this.#log(error, { partition, sequence, cursor: owned.state.cursor });
  }

  /**
   * The log can't be read: the partitions whose cursors it no longer has stop, or else all.
   * @param asked the cursors that were read from
   * @returns the error when trying again may help
   */
  async stopWhatIsAtFault(
    error: BimrideError,
    reading: Reading,
    asked: ReadonlyMap<number, number>,
  ): Promise<BimrideError | undefined> {
    if (error.retryable) return error;
    if (error.code === "CURSOR_TOO_OLD") {
      const cursors = reading.cursors();
      const gaps = await findGaps(this.#deps.log, cursors);
      for (const gap of gaps) {
        const owned = reading.ownedOf(gap);
        if (owned) owned.stopped = error;
        this.#deps.events?.gap(this.#view.name, gap);
        this.#log(error, gap);
      }
      // It may be that of a partition which was given away meanwhile: the others are read again without it.
      if (gaps.length > 0 || cursors.size < asked.size) return undefined;
    }
    this.stop(error);
    return undefined;
  }

  #log(error: BimrideError, where: object): void {
    const words = "projection stopped, see 'A projection that stopped' in docs/OPERATIONS.md";
    this.#deps.logger.error({ err: error, projection: this.#view.name, ...where }, words);
  }
}
