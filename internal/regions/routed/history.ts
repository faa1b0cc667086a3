import type { History, RecordedFix, TrackQuery, TripEvent, TripFinal } from "../../history/history.ts";
import { EngineMap, type RouterOptions } from "./engine-map.ts";
import { hasSomeOf, mergedTrack } from "./track.ts";

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
    const { distinct } = this.#engines;
    if (distinct.length === 1) return this.#engines.first.track(query);
    const has = await this.#engines.all((engine) => hasSomeOf(engine, query));
    const having = distinct.filter((_engine, i) => has[i]);
    // Most parties stay in one region: its engine has told repeats already.
    if (having.length <= 1) return having[0]?.track(query) ?? [];
    return mergedTrack(having, query);
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
}
