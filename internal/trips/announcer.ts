import type { Logger } from "pino";
import { asBimrideError } from "../core/errors.ts";
import { partyKey } from "../core/fix.ts";
import { partitionOf } from "../core/ids.ts";
import type { Clock } from "../core/time.ts";
import type { Trip } from "../core/trip.ts";
import { encodeEntry } from "../eventlog/codec.ts";
import type { EventLog } from "../eventlog/log.ts";
import type { LiveBus } from "../live/bus.ts";
import { homePartition } from "../pipeline/home.ts";
import type { Trips } from "./trips.ts";

export type AnnouncerDeps = { trips: Trips; log: EventLog; bus: LiveBus; clock: Clock; logger: Logger };

const SWEEP_PERIOD_MS = 1_000;
const MAX_PER_SWEEP = 200;

/**
 * Takes stored changes of trips to the log: at once after the change, and again by a sweeper until the log has them, so
 * that a change that is stored is never lost, and a log that is away holds nobody up. A change goes to the partition of
 * every driver the trip ever had and to the trip's home; repeats do no harm.
 */
export class TripAnnouncer implements Disposable {
  readonly #deps: AnnouncerDeps;
  readonly #stop: () => void;
  #sweeping = false;

  constructor(deps: AnnouncerDeps) {
    this.#deps = deps;
    this.#stop = deps.clock.every(SWEEP_PERIOD_MS, () => void this.#sweep());
  }

  /** A change was stored. Resolves when the log has it, or when it is left to the sweeper. */
  async announce(trip: Trip, before: Trip | undefined): Promise<void> {
    try {
      await this.#publish(trip, before);
    } catch (error) {
      this.#deps.logger.warn({ err: error, tripId: trip.tripId }, "trip change waits for the log");
    }
    const { tripId, version: tripVersion } = trip;
    for (const driverId of new Set([trip.driverId, before?.driverId ?? ""])) {
      if (!driverId) continue;
      const party = partyKey({ kind: "driver", id: driverId });
      this.#deps.bus.notify({ partyKey: party, kind: "assignmentChanged", tripId, tripVersion });
    }
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  async #publish(trip: Trip, before: Trip | undefined): Promise<void> {
    const { log, trips, clock } = this.#deps;
    const body = encodeEntry({
      region: trip.region,
      traceparent: "",
      records: [{ kind: "tripChange", receivedAtMs: Math.round(clock.now()), trip }],
    });
    const partitions = new Set([homePartition(trip, log.partitions)]);
    if (before) partitions.add(homePartition(before, log.partitions));
    for (const { driverId } of trip.assignments)
      partitions.add(partitionOf({ kind: "driver", id: driverId }, log.partitions));
    await Promise.all([...partitions].map((partition) => log.append(partition, body)));
    await trips.published(trip.tripId, trip.version);
  }

  /** Old news of a trip that has changed since is followed by the newest: a former home must not take it up again. */
  async #repeat(trip: Trip, previous: Trip | undefined): Promise<void> {
    await this.#publish(trip, previous);
    const newest = await this.#deps.trips.get(trip.tripId);
    if (newest && newest.version > trip.version) await this.#publish(newest, trip);
  }

  /** What a failed append or a crash left. */
  async #sweep(): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    try {
      const old = this.#deps.clock.now() - SWEEP_PERIOD_MS;
      let failed = false;
      for (const { trip, previous } of await this.#deps.trips.pending(MAX_PER_SWEEP)) {
        if (trip.updatedAtMs > old) continue;
        // One change that can't be published must not hold up those behind it; a log that is away fails them all.
        const error = await this.#repeat(trip, previous).then(nothing, asBimrideError);
        if (error && !failed) this.#deps.logger.warn({ err: error }, "trip changes still wait for the log");
        failed ||= error !== undefined;
        if (error?.rpcCode === "unavailable") break;
      }
    } catch (error) {
      this.#deps.logger.warn({ err: error }, "trip changes that wait for the log can't be read");
    } finally {
      this.#sweeping = false;
    }
  }
}

function nothing(): undefined {}
