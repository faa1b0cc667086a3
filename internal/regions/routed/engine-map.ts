import { BimrideError } from "../../core/errors.ts";
import { type Clock, systemClock } from "../../core/time.ts";

/** How the routers treat a region that doesn't answer. */
export type RouterOptions = {
  /** Time of waits. */
  ioClock?: Clock;
  /** Told of a region's failure that others made up for. */
  onRegionFailed?(error: unknown): void;
};

/** A region that takes longer counts as one that can't be reached, where others can answer without it. */
export const REGION_ANSWER_MS = 1_000;

/** The engines of one port by region. Regions may share an engine; it is asked once. */
export class EngineMap<Engine extends AsyncDisposable> {
  /** Each engine once, in the order of the regions. */
  readonly distinct: readonly Engine[];
  /** Time of waits. */
  readonly ioClock: Clock;
  readonly #byRegion: ReadonlyMap<string, Engine>;
  readonly #onRegionFailed: (error: unknown) => void;

  /** @param byRegion at least one */
  constructor(byRegion: ReadonlyMap<string, Engine>, options: RouterOptions = {}) {
    if (byRegion.size === 0) throw new RangeError("a router needs a region");
    this.#byRegion = byRegion;
    this.distinct = [...new Set(byRegion.values())];
    this.ioClock = options.ioClock ?? systemClock;
    this.#onRegionFailed = options.onRegionFailed ?? (() => {});
  }

  /** The first region's engine: takes what names no region. */
  get first(): Engine {
    return this.distinct[0]!;
  }

  /** The engine of the trip's region. A region that we don't have is asked of the first one, which doesn't know it either. */
  ofTrip(tripId: string): Engine {
    return this.#byRegion.get(tripId.slice(0, Math.max(0, tripId.indexOf("-")))) ?? this.first;
  }

  /** The engines that serve the regions, each with those of them that are its own. */
  serving(regions: readonly string[]): ReadonlyMap<Engine, string[]> {
    return Map.groupBy(regions, (region) => this.#byRegion.get(region) ?? this.first);
  }

  /** All answers; rejects when one region fails: for what would be a lie without it. */
  all<Answer>(ask: (engine: Engine) => Promise<Answer>): Promise<Answer[]> {
    return Promise.all(this.distinct.map(ask));
  }

  /**
   * The answers of those that answer in time, each with its engine; what fails is told to `onRegionFailed`. Rejects when
   * nobody answers.
   */
  async answered<Answer>(
    ask: (engine: Engine) => Promise<Answer>,
    engines: readonly Engine[] = this.distinct,
  ): Promise<{ engine: Engine; answer: Answer }[]> {
    const settled = await Promise.allSettled(engines.map((engine) => this.#inTime(ask(engine))));
    const failures = settled.filter((result) => result.status === "rejected");
    if (failures.length > 0 && failures.length === engines.length) throw failures[0]!.reason;
    for (const { reason } of failures) this.#onRegionFailed(reason);
    return settled.flatMap((result, i) =>
      result.status === "fulfilled" ? [{ engine: engines[i]!, answer: result.value }] : [],
    );
  }

  /** Ends every engine, once each. */
  async dispose(): Promise<void> {
    await Promise.all(this.distinct.map((engine) => engine[Symbol.asyncDispose]()));
  }

  #inTime<Answer>(answer: Promise<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const cancel = this.ioClock.after(REGION_ANSWER_MS, () =>
        reject(new BimrideError("STORE_UNAVAILABLE", "A region does not answer.")),
      );
      answer.then(resolve, reject).finally(cancel);
    });
  }
}
