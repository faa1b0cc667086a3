import type {
  History,
  RecordedFix,
  TrackChunk,
  TrackQuery,
  TripEvent,
  TripFinal,
} from "../../history/history.ts";
import { compareTrackKeys, correctedAtMs, isAsked, mergeFixes, trackKey } from "../../history/merge.ts";
import { EngineMap, type RouterOptions } from "./engine-map.ts";

/**
 * A fix that two regions have (its ack was lost on the way, and it was sent again after a hand-over) is told as a repeat
 * when its corrected times in both lie this close together; they differ when the clock offset was estimated anew.
 */
const REPEAT_MARGIN_MS = 300_000;
/** Fixes read at once of what lies beside a page. */
const BESIDE_STEP = 5_000;

/**
 * The histories of several regions as one: what a trip's id names is in its region, tracks of a party are read from every
 * engine and merged, so that a party that crosses borders has one track. `track` and `trim` need all regions. `putChunks` is
 * for the regions' own processors, which write to their own engine: here it goes to the first. Disposing it disposes the
 * engines.
 */
export function routedHistory(byRegion: ReadonlyMap<string, History>, options: RouterOptions = {}): History {
  return new RoutedHistory(new EngineMap(byRegion, options));
}

class RoutedHistory implements History {
  readonly #engines: EngineMap<History>;

  constructor(engines: EngineMap<History>) {
    this.#engines = engines;
  }

  putChunks(...args: Parameters<History["putChunks"]>): Promise<void> {
    return this.#engines.first.putChunks(...args);
  }

  async track(query: TrackQuery): Promise<RecordedFix[]> {
    const page: RecordedFix[] = [];
    for (let asked = query; ; ) {
      const { fixes, untilMs } = await this.#stretch(asked);
      page.push(...fixes.slice(0, query.limit - page.length));
      if (untilMs === undefined || page.length === query.limit) return page;
      asked = { ...query, fromMs: untilMs, limit: query.limit };
    }
  }

  putFinal(final: TripFinal): Promise<void> {
    return this.#engines.ofTrip(final.tripId).putFinal(final);
  }

  final(tripId: string): Promise<TripFinal | undefined> {
    return this.#engines.ofTrip(tripId).final(tripId);
  }

  async putEvents(events: readonly TripEvent[]): Promise<void> {
    const byEngine = Map.groupBy(events, ({ tripId }) => this.#engines.ofTrip(tripId));
    await Promise.all([...byEngine].map(([engine, own]) => engine.putEvents(own)));
  }

  events(tripId: string, limit: number, after?: { atMs: number; key: string }): Promise<TripEvent[]> {
    return this.#engines.ofTrip(tripId).events(tripId, limit, after);
  }

  async trim(beforeMs: number): Promise<void> {
    await this.#engines.all((engine) => engine.trim(beforeMs));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#engines.dispose();
  }

  /**
   * The fixes from the query's beginning up to where every engine's answer reaches.
   * @returns untilMs where the next stretch begins; undefined when there is nothing more
   */
  async #stretch(query: TrackQuery): Promise<{ fixes: RecordedFix[]; untilMs: number | undefined }> {
    const found = await this.#engines.all((engine) => engine.track(query));
    const having = this.#engines.distinct.filter((_engine, i) => found[i]!.length > 0);
    const full = found.filter((fixes) => fixes.length === query.limit);
    // One region has it all: its engine has told repeats already.
    if (having.length <= 1) return { fixes: found.flat(), untilMs: undefined };
    const untilMs = full.length === 0 ? undefined : Math.min(...full.map((fixes) => correctedAtMs(fixes.at(-1)!)));
    const startMs = Math.max(query.fromMs, query.after?.atMs ?? query.fromMs);
    const beside = {
      ...query,
      fromMs: startMs - REPEAT_MARGIN_MS,
      toMs: (untilMs ?? query.toMs) + REPEAT_MARGIN_MS,
      after: undefined,
    };
    const all = await Promise.all(having.map((engine) => readAll(engine, beside)));
    const fixes = mergeFixes(all.flat()).filter(
      (fix) => isAsked(query, trackKey(fix)) && (untilMs === undefined || correctedAtMs(fix) < untilMs),
    );
    return { fixes, untilMs };
  }
}
