import type { Trip } from "../../core/trip.ts";
import type { TripFilter, Trips } from "../../trips/trips.ts";
import type { EngineMap } from "./engine-map.ts";

/** Pages remembered; the oldest are forgotten, and their next page is found by a walk from the top. */
const MAX_REMEMBERED = 1_000;
/** Trips read at once on such a walk. */
const WALK_STEP = 100;

/** Per engine the last trip id that pages so far have taken from it; empty: none. */
type Cursors = readonly string[];

/**
 * Lists of several engines merged into one, newest first. A page token names one trip, of one engine; where the others
 * stood is remembered from the page before, or found again by walking down their lists from the top.
 */
export class TripPages {
  readonly #engines: EngineMap<Trips>;
  /** By filter and the page's last trip. Oldest first. */
  readonly #remembered = new Map<string, Cursors>();

  constructor(engines: EngineMap<Trips>) {
    this.#engines = engines;
  }

  /** As `Trips.list`. Rejects when any engine does: a list that leaves a region out would be a lie. */
  async list(filter: TripFilter, limit: number, after: string): Promise<Trip[]> {
    const cursors = await this.#cursorsAt(filter, after);
    if (!cursors) return [];
    const { distinct } = this.#engines;
    const lists = await Promise.all(distinct.map((engine, i) => engine.list(filter, limit, cursors[i]!)));
    // By id: regions may name one store under two addresses, then it tells of a trip twice.
    const all = new Map(lists.flat().map((trip) => [trip.tripId, trip]));
    const page = [...all.values()].sort(newestFirst).slice(0, limit);
    const last = page.at(-1);
    if (last) {
      const taken = lists.map((trips) => trips.findLast((trip) => newestFirst(trip, last) <= 0));
      const next = cursors.map((cursor, i) => taken[i]?.tripId ?? cursor);
      this.#remember(pageKey(filter, last.tripId), next);
    }
    return page;
  }

  /** Where each engine stands after the trip; undefined when there is no such trip. */
  async #cursorsAt(filter: TripFilter, after: string): Promise<Cursors | undefined> {
    const { distinct } = this.#engines;
    if (after === "") return distinct.map(() => "");
    const remembered = this.#remembered.get(pageKey(filter, after));
    if (remembered) return remembered;
    const own = this.#engines.ofTrip(after);
    const trip = await own.get(after);
    if (!trip) return undefined;
    return Promise.all(distinct.map((engine) => (engine === own ? after : lastBefore(engine, filter, trip))));
  }

  #remember(key: string, cursors: Cursors): void {
    this.#remembered.delete(key);
    this.#remembered.set(key, cursors);
    if (this.#remembered.size <= MAX_REMEMBERED) return;
    const [oldest] = this.#remembered.keys();
    this.#remembered.delete(oldest!);
  }
}

/** The order of lists: by creation, then id, the newest first. */
function newestFirst(a: Trip, b: Trip): number {
  return b.createdAtMs - a.createdAtMs || (a.tripId < b.tripId ? 1 : a.tripId > b.tripId ? -1 : 0);
}

/** Id of the last trip in the engine's list that comes before the trip; empty when there is none. */
async function lastBefore(engine: Trips, filter: TripFilter, trip: Trip): Promise<string> {
  let cursor = "";
  for (;;) {
    const step = await engine.list(filter, WALK_STEP, cursor);
    const end = step.findIndex((other) => newestFirst(other, trip) > 0);
    const before = end < 0 ? step : step.slice(0, end);
    cursor = before.at(-1)?.tripId ?? cursor;
    if (before.length < WALK_STEP) return cursor;
  }
}

function pageKey({ riderId, driverId, runningOnly }: TripFilter, lastTripId: string): string {
  return JSON.stringify([riderId, driverId, runningOnly === true, lastTripId]);
}
