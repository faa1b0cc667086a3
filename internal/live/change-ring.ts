import type { LiveChange } from "../core/live.ts";
import { compareVersions, type Version } from "../core/version.ts";

/** Changes remembered per watched trip: about 8 min at one fix per 4 s. */
const MAX_CHANGES = 128;
/** Changes with the whole trip among them; a trip may hold a path of 5,000 points. */
const MAX_EVENTS = 16;

/** The last changes of a trip, for viewers who come back. Older ones leave. */
export class ChangeRing {
  readonly #changes: LiveChange[] = [];
  #events = 0;

  /** Adds the change that follows the last one. */
  add(change: LiveChange): void {
    this.#changes.push(change);
    if (change.trip) this.#events++;
    while (this.#changes.length > MAX_CHANGES || this.#events > MAX_EVENTS)
      if (this.#changes.shift()?.trip) this.#events--;
  }

  /** Forgets everything: what follows does not continue what was. */
  clear(): void {
    this.#changes.length = 0;
    this.#events = 0;
  }

  /** All changes since the version, or undefined when they are not all at hand. */
  since(version: Version): LiveChange[] | undefined {
    const first = this.#changes.findIndex((change) => compareVersions(change.previous, version) === 0);
    return first < 0 ? undefined : this.#changes.slice(first);
  }
}
