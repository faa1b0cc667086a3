import { isDeepStrictEqual } from "node:util";
import { isRunning, type Trip } from "../core/trip.ts";
import type { TripEvent } from "../history/history.ts";
import { eventsOf } from "../projections/history.ts";
import { putSettled, recordsOf, settleTrip } from "../projections/settle-trip.ts";
import type { FixKeeperDeps } from "./history-parts.ts";
import { patiently } from "./patient.ts";
import type { Range } from "./range.ts";
import type { PartCounts } from "./report.ts";

/** Trips remembered until their end; beyond, the one first heard of is looked at before its time. */
const MAX_TRIPS = 10_000;

type Kept = { trip: Trip; events: Map<string, TripEvent>; counts: PartCounts };

/** The trips of the log, to have their events and final records looked at once their fixes are right. */
export class TripKeeper {
  readonly #deps: FixKeeperDeps;
  readonly #range: Range;
  readonly #trips = new Map<string, Kept>();

  constructor(deps: FixKeeperDeps, range: Range) {
    this.#deps = deps;
    this.#range = range;
  }

  get isFull(): boolean {
    return this.#trips.size > MAX_TRIPS;
  }

  changed(trip: Trip, counts: PartCounts): void {
    const kept = this.#trips.get(trip.tripId) ?? { trip, events: new Map<string, TripEvent>(), counts };
    this.#trips.set(trip.tripId, kept);
    // A trip stands in the log of every party concerned: the first to tell of it counts it.
    if (trip.version >= kept.trip.version) kept.trip = trip;
    const { fromMs, toMs } = this.#range;
    for (const event of eventsOf(trip))
      if (event.atMs >= fromMs && event.atMs <= toMs) kept.events.set(`${event.atMs} ${event.key}`, event);
  }

  /** Looks at the trips; their fixes must have been looked at. @param down until so many are left */
  async settle(down: number, pipelineTimeMs: number): Promise<void> {
    for (const [tripId, kept] of this.#trips) {
      if (this.#trips.size <= down) return;
      this.#trips.delete(tripId);
      await this.#settleEvents(kept);
      await this.#settleTrip(kept, pipelineTimeMs);
      this.#deps.planned.tripDone(tripId);
    }
  }

  async #settleEvents({ trip, events, counts }: Kept): Promise<void> {
    if (events.size === 0) return;
    const { clock, history, dryRun, planned } = this.#deps;
    const stored = await patiently(clock, () => recordsOf(history).events(trip.tripId));
    const known = new Map(stored.map((event) => [`${event.atMs} ${event.key}`, event]));
    const missing = [...events].filter(([name, event]) => {
      const before = known.get(name);
      // A running trip's owner may just have learned better than what was read of the log.
      return !before || (!isRunning(trip) && !isDeepStrictEqual(before, event));
    });
    const written = missing.map(([, event]) => event);
    counts.eventsWritten += written.length;
    if (dryRun) planned.setEvents(trip.tripId, written);
    else if (written.length > 0) await patiently(clock, () => history.putEvents(written));
  }

  /** Where the trip was due already: before, its owner settles it. */
  async #settleTrip({ trip, counts }: Kept, pipelineTimeMs: number): Promise<void> {
    const { clock, history, dryRun, planned, limits } = this.#deps;
    const startedAtMs = trip.assignments[0]?.fromMs ?? trip.createdAtMs;
    const dueAtMs = trip.endedAtMs + limits.settleAfterMs;
    if (trip.endedAtMs === 0 || dueAtMs > pipelineTimeMs) return;
    if (trip.endedAtMs < this.#range.fromMs || startedAtMs > this.#range.toMs) return;
    counts.tripsChecked++;
    const stored = recordsOf(history);
    const records = dryRun ? planned.over(stored) : stored;
    const settled = await patiently(clock, () => settleTrip(records, trip, limits, dueAtMs));
    if (!settled) return;
    counts.tripsSettled++;
    if (!dryRun) await patiently(clock, () => putSettled(history, settled));
  }
}
