import type { Party } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { Trip } from "../core/trip.ts";
import type { History } from "../history/history.ts";
import { putSettled, recordsOf, settleTrip } from "./settle-trip.ts";

/** Ended trips remembered per partition for late fixes; beyond, the one that ended first is forgotten and stays as settled. */
const MAX_ENDED_TRIPS = 10_000;

type Ended = { trip: Trip; dueAtMs: number };

/** Trips that were due, with the time at which they were. */
export type Due = readonly { ended: Ended; dueAtMs: number }[];

/**
 * Which ended trips of a partition are to be settled, and when, in pipeline time: settleAfterMs after the end, and again
 * as long after each late fix. What settlement finds is a pure function of the fixes, so doing it twice changes nothing.
 */
export class Settlements {
  readonly #limits: Limits;
  readonly #history: History;
  readonly #ended = new Map<string, Ended>();
  /** The same by driver, so that a fix finds its trips at once. */
  readonly #ofDriver = new Map<string, Set<Ended>>();

  constructor(limits: Limits, history: History) {
    this.#limits = limits;
    this.#history = history;
  }

  restore(trip: Trip, dueAtMs: number): void {
    this.#forget(trip.tripId);
    const ended = { trip, dueAtMs };
    this.#ended.set(trip.tripId, ended);
    for (const { driverId } of trip.assignments) {
      const trips = this.#ofDriver.get(driverId) ?? new Set();
      this.#ofDriver.set(driverId, trips.add(ended));
    }
    if (this.#ended.size > MAX_ENDED_TRIPS) this.#forget(this.#ended.keys().next().value!);
  }

  /** The trip changed; only its end matters here. */
  tripChanged(trip: Trip): void {
    if (trip.endedAtMs > 0) this.restore(trip, trip.endedAtMs + this.#limits.settleAfterMs);
  }

  /** A fix goes to history; when it lies within an ended trip of its driver, that trip is settled again. */
  fixRecorded(party: Party, atMs: number, pipelineTimeMs: number): void {
    if (party.kind !== "driver") return;
    for (const ended of this.#ofDriver.get(party.id) ?? []) {
      if (ended.dueAtMs !== 0 || atMs > ended.trip.endedAtMs) continue;
      const drove = ended.trip.assignments.some((span) => span.driverId === party.id && covers(span, atMs));
      if (drove) ended.dueAtMs = pipelineTimeMs + this.#limits.settleAfterMs;
    }
  }

  /** True while some trip waits for its time. */
  waits(): boolean {
    for (const ended of this.#ended.values()) if (ended.dueAtMs !== 0) return true;
    return false;
  }

  /** Takes what is due, and forgets trips that ended longer ago than the log reaches. */
  takeDue(pipelineTimeMs: number): Due {
    const due: { ended: Ended; dueAtMs: number }[] = [];
    for (const [tripId, ended] of this.#ended) {
      const { dueAtMs } = ended;
      const over = ended.trip.endedAtMs + this.#limits.logRetentionMs < pipelineTimeMs;
      if (dueAtMs !== 0 && dueAtMs <= pipelineTimeMs) {
        due.push({ ended, dueAtMs });
        ended.dueAtMs = 0;
      } else if (over && dueAtMs === 0) this.#forget(tripId);
    }
    return due;
  }

  /** Settles trips with all that history has of them. */
  async settle(due: Due): Promise<void> {
    for (const { ended, dueAtMs } of due) {
      const settled = await settleTrip(recordsOf(this.#history), ended.trip, this.#limits, dueAtMs);
      if (settled) await putSettled(this.#history, settled);
    }
  }

  /** Gives back what could not be settled. */
  retry(due: Due): void {
    for (const { ended, dueAtMs } of due) ended.dueAtMs = dueAtMs;
  }

  /** For the snapshot. */
  all(): Iterable<Ended> {
    return this.#ended.values();
  }

  #forget(tripId: string): void {
    const ended = this.#ended.get(tripId);
    if (!ended) return;
    this.#ended.delete(tripId);
    for (const { driverId } of ended.trip.assignments) {
      const trips = this.#ofDriver.get(driverId);
      trips?.delete(ended);
      if (trips?.size === 0) this.#ofDriver.delete(driverId);
    }
  }
}

function covers(span: { fromMs: number; toMs: number }, atMs: number): boolean {
  return atMs >= span.fromMs && (span.toMs === 0 || atMs <= span.toMs);
}
