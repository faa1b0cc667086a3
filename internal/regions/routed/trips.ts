import { isRunning, type Trip } from "../../core/trip.ts";
import type { IdempotencyClaim, PendingChange, PutResult, TripFilter, Trips } from "../../trips/trips.ts";
import { EngineMap, type RouterOptions } from "./engine-map.ts";
import { TripPages } from "./trip-pages.ts";

/**
 * The trips of several regions as one store: a trip is where its id says, what is asked of a party is asked of every
 * engine. Beside the port's promises, where regions have trips engines of their own:
 * - one running trip per driver holds within an engine; across engines it is looked at before a trip is stored, so two that
 *   are stored within the same moments may both stand, and an engine that can't be reached counts as having none;
 * - an idempotency key is known to the engine of the trip that it made;
 * - `runningOf` and `pending` need no answer from a region without one when another has some; `list` needs all.
 * Disposing it disposes the engines.
 */
export function routedTrips(byRegion: ReadonlyMap<string, Trips>, options: RouterOptions = {}): Trips {
  return new RoutedTrips(new EngineMap(byRegion, options));
}

class RoutedTrips implements Trips {
  readonly #engines: EngineMap<Trips>;
  readonly #pages: TripPages;

  constructor(engines: EngineMap<Trips>) {
    this.#engines = engines;
    this.#pages = new TripPages(engines);
  }

  async put(trip: Trip, idempotency?: IdempotencyClaim): Promise<PutResult> {
    const engine = this.#engines.ofTrip(trip.tripId);
    if (!(await this.#isBusyElsewhere(engine, trip))) return engine.put(trip, idempotency);
    if (idempotency) {
      // A version that can't be stored: the engine looks at the claim first, and stores nothing either way.
      const claimed = await engine.put({ ...trip, version: trip.version + 1 }, idempotency);
      if (!claimed.stored && claimed.reason === "idempotency") return claimed;
    }
    return { stored: false, reason: "driverBusy" };
  }

  get(tripId: string): Promise<Trip | undefined> {
    return this.#engines.ofTrip(tripId).get(tripId);
  }

  list(filter: TripFilter, limit: number, after: string): Promise<Trip[]> {
    return this.#pages.list(filter, limit, after);
  }

  async runningOf(driverId: string): Promise<Trip | undefined> {
    const asked = this.#engines.distinct.map(async (engine) => {
      const trip = await engine.runningOf(driverId);
      if (!trip) throw new NoTrip();
      return trip;
    });
    try {
      return await Promise.any(asked);
    } catch (error) {
      const failure = (error as AggregateError).errors.find((one) => !(one instanceof NoTrip));
      if (failure === undefined) return undefined;
      throw failure;
    }
  }

  /** In turns from each engine, so that a region with much to tell holds up no other. */
  async pending(regions: readonly string[], limit: number): Promise<PendingChange[]> {
    const asked = this.#engines.serving(regions);
    const lists = await this.#engines.answered(
      (engine) => engine.pending(asked.get(engine)!, limit),
      [...asked.keys()],
    );
    const turns = lists.flatMap(({ answer }) => answer.map((change, turn) => ({ change, turn })));
    return turns
      .sort((a, b) => a.turn - b.turn)
      .slice(0, limit)
      .map(({ change }) => change);
  }

  published(tripId: string, version: number): Promise<void> {
    return this.#engines.ofTrip(tripId).published(tripId, version);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#engines.dispose();
  }

  async #isBusyElsewhere(engine: Trips, trip: Trip): Promise<boolean> {
    const others = this.#engines.distinct.filter((other) => other !== engine);
    if (others.length === 0 || !trip.driverId || !isRunning(trip)) return false;
    try {
      const found = await this.#engines.answered((other) => other.runningOf(trip.driverId), others);
      // The same trip may be seen from two sides, where regions name one store under two addresses.
      return found.some(({ answer }) => answer !== undefined && answer.tripId !== trip.tripId);
    } catch {
      return false; // no other region answers: this one goes on without them
    }
  }
}

/** An engine's answer that it has no such trip, as what Promise.any passes over. */
class NoTrip extends Error {}
