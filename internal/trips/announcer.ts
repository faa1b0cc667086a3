import type { Logger } from "pino";
import { asBimrideError, BimrideError } from "../core/errors.ts";
import { partyKey } from "../core/fix.ts";
import { partitionOf } from "../core/ids.ts";
import type { Clock } from "../core/time.ts";
import type { Trip } from "../core/trip.ts";
import { encodeEntry } from "../eventlog/codec.ts";
import type { EventLog } from "../eventlog/log.ts";
import type { LiveBus } from "../live/bus.ts";
import { homePartition } from "../pipeline/home.ts";
import type { PendingChange, Trips } from "./trips.ts";

export type AnnouncerDeps = {
  trips: Trips;
  /** The logs of the regions that this process writes to. */
  logs: ReadonlyMap<string, EventLog>;
  bus: LiveBus;
  clock: Clock;
  logger: Logger;
};

const SWEEP_PERIOD_MS = 1_000;
const MIN_PER_SWEEP = 200;
/** As far as a sweep looks for changes of other regions behind those of one whose log is away. */
const MAX_PER_SWEEP = 6_400;

/**
 * Takes stored changes of trips to the log of the trip's region: at once after the change, and again by a sweeper until
 * the log has them, so that a change that is stored is never lost, and a log that is away holds nobody up, other regions
 * neither. A change goes to the partition of every driver the trip ever had and to the trip's home; repeats do no harm.
 * Changes of regions whose log this process does not know are left to those who do.
 */
export class TripAnnouncer implements Disposable {
  readonly #deps: AnnouncerDeps;
  readonly #stop: () => void;
  #sweeping = false;
  #perSweep = MIN_PER_SWEEP;

  constructor(deps: AnnouncerDeps) {
    this.#deps = deps;
    this.#stop = deps.clock.every(SWEEP_PERIOD_MS, () => void this.#sweep());
  }

  /** Whether changes of the region's trips can be told here. */
  knows(region: string): boolean {
    return this.#deps.logs.has(region);
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
    const { trips, clock } = this.#deps;
    const log = this.#logOf(trip);
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

  #logOf({ region }: Trip): EventLog {
    const log = this.#deps.logs.get(region);
    if (!log) throw new BimrideError("LOG_UNAVAILABLE", `This process has no log of the region ${region}.`);
    return log;
  }

  /** What a failed append or a crash left. */
  async #sweep(): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    try {
      const pending = await this.#deps.trips.pending(this.#perSweep);
      const away = await this.#sweepOver(pending);
      // The rest may be behind what waits for a log that is away.
      const isBlocked = away === pending.length && away === this.#perSweep;
      this.#perSweep = isBlocked ? Math.min(2 * this.#perSweep, MAX_PER_SWEEP) : MIN_PER_SWEEP;
    } catch (error) {
      this.#deps.logger.warn({ err: error }, "trip changes that wait for the log can't be read");
    } finally {
      this.#sweeping = false;
    }
  }

  /** @returns how many were left alone because their region's log is away or not this process's */
  async #sweepOver(pending: readonly PendingChange[]): Promise<number> {
    const old = this.#deps.clock.now() - SWEEP_PERIOD_MS;
    const away = new Set<string>();
    let failed = false;
    let left = 0;
    for (const { trip, previous } of pending) {
      if (!this.knows(trip.region) || away.has(trip.region)) {
        left++;
        continue;
      }
      if (trip.updatedAtMs > old) continue;
      // One change that can't be published must not hold up those behind it; a log that is away fails all of its region.
      const error = await this.#repeat(trip, previous).then(nothing, asBimrideError);
      if (!error) continue;
      if (!failed) this.#deps.logger.warn({ err: error }, "trip changes still wait for the log");
      failed = true;
      if (error.rpcCode !== "unavailable") continue;
      away.add(trip.region);
      left++;
    }
    return left;
  }
}

function nothing(): undefined {}
