import type { Logger } from "pino";
import { asBimrideError, BimrideError } from "../core/errors.ts";
import { type Party, partyKey } from "../core/fix.ts";
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
const MAX_PER_SWEEP = 200;
/** A log that says it is in trouble is tried after so long; each time it still is, after twice as long. */
const MIN_PAUSE_MS = 2_000;
const MAX_PAUSE_MS = 30_000;

/**
 * Takes stored changes of trips to the log of the trip's region: at once after the change, and again by a sweeper until
 * the log has them, so that a change that is stored is never lost, and a log that is away holds nobody up, other regions
 * neither. A change goes to the partition of every driver the trip ever had, to the trip's home, and to the partitions of
 * riders who share their place with it or did before the change; repeats do no harm.
 * Changes of regions whose log this process does not know are left to those who do. For those whose log says that it is in
 * trouble the store is asked with growing pauses, since some logs learn only from an append that they work again.
 */
export class TripAnnouncer implements Disposable {
  readonly #deps: AnnouncerDeps;
  readonly #stop: () => void;
  /** Regions whose log was last seen in trouble. */
  readonly #pauses = new Map<string, { lengthMs: number; untilMs: number }>();
  #sweeping = false;

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
    const drivers = new Set([trip.driverId, before?.driverId ?? ""].filter((id) => id !== ""));
    for (const id of drivers) this.#notify({ kind: "driver", id }, tripId, tripVersion);
    const riders = new Set([...trip.riderIds, ...(before?.riderIds ?? [])]);
    for (const id of riders) this.#notify({ kind: "rider", id }, tripId, tripVersion);
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  #notify(party: Party, tripId: string, tripVersion: number): void {
    this.#deps.bus.notify({ partyKey: partyKey(party), kind: "assignmentChanged", tripId, tripVersion });
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
    for (const id of [...trip.sharingRiderIds, ...(before?.sharingRiderIds ?? [])])
      partitions.add(partitionOf({ kind: "rider", id }, log.partitions));
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
      const regions = await this.#regionsToSweep();
      if (regions.length > 0) await this.#sweepOver(await this.#deps.trips.pending(regions, MAX_PER_SWEEP));
    } catch (error) {
      this.#deps.logger.warn({ err: error }, "trip changes that wait for the log can't be read");
    } finally {
      this.#sweeping = false;
    }
  }

  /** Those whose log takes entries, and those where it is time to see whether it does. */
  async #regionsToSweep(): Promise<string[]> {
    const nowMs = this.#deps.clock.monotonic();
    const regions: string[] = [];
    for (const [region, log] of this.#deps.logs) {
      const trouble = await log.health();
      if (!trouble) this.#pauses.delete(region);
      if (!trouble || this.#pauseIsOver(region, nowMs)) regions.push(region);
    }
    return regions;
  }

  /** Of a log in trouble; the next pause begins when one is over. */
  #pauseIsOver(region: string, nowMs: number): boolean {
    const pause = this.#pauses.get(region);
    if (pause && nowMs < pause.untilMs) return false;
    const lengthMs = pause ? Math.min(2 * pause.lengthMs, MAX_PAUSE_MS) : MIN_PAUSE_MS;
    this.#pauses.set(region, { lengthMs, untilMs: nowMs + lengthMs });
    return pause !== undefined;
  }

  async #sweepOver(pending: readonly PendingChange[]): Promise<void> {
    const old = this.#deps.clock.now() - SWEEP_PERIOD_MS;
    const away = new Set<string>();
    let failed = false;
    for (const { trip, previous } of pending) {
      if (away.has(trip.region) || trip.updatedAtMs > old) continue;
      // One change that can't be published must not hold up those behind it; a log that is away fails all of its region.
      const error = await this.#repeat(trip, previous).then(nothing, asBimrideError);
      if (!error) continue;
      if (!failed) this.#deps.logger.warn({ err: error }, "trip changes still wait for the log");
      failed = true;
      if (error.rpcCode === "unavailable") away.add(trip.region);
    }
  }
}

function nothing(): undefined {}
