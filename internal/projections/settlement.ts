import { isDeepStrictEqual } from "node:util";
import type { Party } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { Trip } from "../core/trip.ts";
import type { History, RecordedFix, TripFinal } from "../history/history.ts";
import { settle } from "../pipeline/settlement.ts";

/** Ended trips remembered per partition for late fixes; beyond, the one that ended first is forgotten and stays as settled. */
const MAX_ENDED_TRIPS = 10_000;
const PAGE = 5_000;

type Ended = { trip: Trip; dueAtMs: number };

/**
 * Which ended trips of a partition are to be settled, and when, in pipeline time: settleAfterMs after the end, and again
 * as long after each late fix. What settlement finds is a pure function of the fixes, so doing it twice changes nothing.
 */
export class Settlements {
  readonly #limits: Limits;
  readonly #history: History;
  readonly #ended = new Map<string, Ended>();

  constructor(limits: Limits, history: History) {
    this.#limits = limits;
    this.#history = history;
  }

  restore(trip: Trip, dueAtMs: number): void {
    this.#ended.set(trip.tripId, { trip, dueAtMs });
  }

  /** The trip changed; only its end matters here. */
  tripChanged(trip: Trip): void {
    if (trip.endedAtMs === 0) return;
    const dueAtMs = trip.endedAtMs + this.#limits.settleAfterMs;
    this.#ended.set(trip.tripId, { trip, dueAtMs });
    if (this.#ended.size > MAX_ENDED_TRIPS) this.#ended.delete(this.#ended.keys().next().value!);
  }

  /** A fix reached history; when it lies within an ended trip of its driver, that trip is settled again. */
  fixRecorded(party: Party, atMs: number, pipelineTimeMs: number): void {
    if (party.kind !== "driver" || this.#ended.size === 0) return;
    for (const ended of this.#ended.values()) {
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

  /** Settles what is due and forgets trips that ended longer ago than the log reaches. */
  async settleDue(pipelineTimeMs: number): Promise<void> {
    for (const [tripId, ended] of this.#ended) {
      if (ended.dueAtMs !== 0 && ended.dueAtMs <= pipelineTimeMs) {
        await this.#settle(ended.trip, ended.dueAtMs);
        ended.dueAtMs = 0;
      }
      const over = ended.trip.endedAtMs + this.#limits.logRetentionMs < pipelineTimeMs;
      if (over && ended.dueAtMs === 0) this.#ended.delete(tripId);
    }
  }

  /** For the snapshot. */
  all(): Iterable<Ended> {
    return this.#ended.values();
  }

  async #settle(trip: Trip, settledAtMs: number): Promise<void> {
    const tracks: { party: Party; fixes: RecordedFix[] }[] = [];
    for (const span of trip.assignments) {
      const party: Party = { kind: "driver", id: span.driverId };
      tracks.push({ party, fixes: await this.#track(party, span.fromMs, span.toMs || trip.endedAtMs) });
    }
    const found = settle(trip, tracks, this.#limits);
    const before = await this.#history.final(trip.tripId);
    if (
      before &&
      isDeepStrictEqual({ ...before, revision: 0, settledAtMs: 0 }, { ...found, revision: 0, settledAtMs: 0 })
    )
      return;
    const final: TripFinal = { ...found, revision: (before?.revision ?? 0) + 1, settledAtMs };
    await this.#history.putFinal(final);
    const { tripId, distanceM, approachM, phases, revision } = final;
    await this.#history.putEvents([
      {
        tripId,
        atMs: settledAtMs,
        key: `settled-${revision}`,
        kind: "settled",
        distanceM,
        approachM,
        phases,
        revision,
      },
    ]);
  }

  async #track(party: Party, fromMs: number, toMs: number): Promise<RecordedFix[]> {
    const fixes: RecordedFix[] = [];
    for (;;) {
      const last = fixes.at(-1);
      const after = last && {
        atMs: last.capturedAtMs + last.clockOffsetMs,
        sessionId: last.sessionId,
        seq: last.seq,
      };
      const page = await this.#history.track({
        party,
        fromMs,
        toMs,
        limit: PAGE,
        ...(after ? { after } : {}),
      });
      fixes.push(...page);
      if (page.length < PAGE) return fixes;
    }
  }
}

function covers(span: { fromMs: number; toMs: number }, atMs: number): boolean {
  return atMs >= span.fromMs && (span.toMs === 0 || atMs <= span.toMs);
}
