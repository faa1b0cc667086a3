import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { HistoryOwnSchema } from "../../gen/bimride/state/v1/projection_pb.ts";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import type { Trip } from "../core/trip.ts";
import { decodeChunk, encodeChunk } from "../history/codec.ts";
import type { History, TripEvent } from "../history/history.ts";
import type { Lease } from "../partitions/lease.ts";
import type { PipelineOutput } from "../pipeline/output.ts";
import type { PartitionState } from "../pipeline/state.ts";
import { type TripEntries, tripEntryOf, tripOfEntry } from "../pipeline/trip-entry.ts";
import { OpenChunks, trackChunk } from "./open-chunks.ts";
import { Settlements } from "./settlement.ts";
import type { View } from "./view.ts";

/** Chunks that are made objects at a time: after the store was away they are those of an hour. */
const CHUNKS_AT_ONCE = 500;

type Part = { state: PartitionState; chunks: OpenChunks; settlements: Settlements; events: TripEvent[] };

export type HistoryViewDeps = {
  history: History;
  limits: Limits;
  clock: Clock;
  lease(partition: number): Lease | undefined;
  /** Least time between two calls of `store`. */
  storePeriodMs: number;
  /**
   * How long a chunk that grows may wait until its row is written again; full chunks are written at once. 0 where a row
   * costs little, long where it costs more: what waits is in the snapshot.
   */
  chunkRewriteMs: number;
};

/** The history view: every fix into chunks, every status into the trip's events, ended trips settled. */
export class HistoryView implements View {
  readonly name = "history";
  readonly waitsForStore = true;
  readonly storePeriodMs: number;
  readonly #deps: HistoryViewDeps;
  readonly #parts = new Map<number, Part>();
  readonly #tripEntries: TripEntries = new WeakMap();

  constructor(deps: HistoryViewDeps) {
    this.#deps = deps;
    this.storePeriodMs = deps.storePeriodMs;
  }

  restored(state: PartitionState, own: Uint8Array | undefined): void {
    const { limits, clock, history, chunkRewriteMs } = this.#deps;
    const part: Part = {
      state,
      chunks: new OpenChunks(limits, clock, chunkRewriteMs),
      settlements: new Settlements(limits, history),
      events: [],
    };
    if (own) {
      const message = fromBinary(HistoryOwnSchema, own);
      part.chunks.restore(message.openChunks.map(decodeChunk), state.pipelineTimeMs);
      for (const ended of message.endedTrips) {
        part.settlements.restore(tripOfEntry(ended.tripEntry), Number(ended.dueAtMs));
      }
    }
    this.#parts.set(state.partition, part);
  }

  released(partition: number): void {
    this.#parts.delete(partition);
  }

  entry(state: PartitionState, out: PipelineOutput): void {
    const part = this.#parts.get(state.partition)!;
    for (const processed of out.fixes) {
      part.chunks.add(processed, state.pipelineTimeMs, state.cursor);
      const atMs = processed.fix.capturedAtMs + processed.batch.clockOffsetMs;
      part.settlements.fixRecorded(processed.batch.party, atMs, state.pipelineTimeMs);
    }
    for (const trip of out.trips) {
      part.settlements.tripChanged(trip);
      part.events.push(...eventsOf(trip));
    }
  }

  async store(all: ReadonlySet<number>): Promise<void> {
    const parts = [...this.#parts.values()].filter(({ state }) => this.#deps.lease(state.partition)?.valid());
    // What is due is taken with the chunks: a fix that comes from now on is not stored yet and makes its trip due again.
    const due = parts.map((part) => part.settlements.takeDue(part.state.pipelineTimeMs));
    try {
      await this.#storeChunks(parts, (i) => all.has(parts[i]!.state.partition) || due[i]!.length > 0);
      for (const part of parts) {
        await this.#storeEvents(part);
        part.chunks.closeOld(part.state.pipelineTimeMs);
      }
      for (const [i, part] of parts.entries()) await part.settlements.settle(due[i]!);
    } catch (error) {
      for (const [i, part] of parts.entries()) part.settlements.retry(due[i]!);
      throw error;
    }
  }

  /** True while the partition needs time to go on: a trip waits for its settlement. */
  waits(partition: number): boolean {
    return this.#parts.get(partition)?.settlements.waits() ?? false;
  }

  own(state: PartitionState): Uint8Array {
    const part = this.#parts.get(state.partition)!;
    const endedTrips = [...part.settlements.all()].map(({ trip, dueAtMs }) => ({
      tripEntry: tripEntryOf(trip, this.#tripEntries),
      dueAtMs: BigInt(dueAtMs),
    }));
    const openChunks = part.chunks.all().map((chunk) => encodeChunk(trackChunk(chunk)));
    return toBinary(HistoryOwnSchema, create(HistoryOwnSchema, { openChunks, endedTrips }));
  }

  async #storeEvents(part: Part): Promise<void> {
    const events = part.events.splice(0);
    try {
      if (events.length > 0) await this.#deps.history.putEvents(events);
    } catch (error) {
      part.events.unshift(...events);
      throw error;
    }
  }

  async #storeChunks(parts: readonly Part[], all: (part: number) => boolean): Promise<void> {
    const taken = parts.flatMap(({ chunks }, i) =>
      chunks.takeDirty(all(i)).map((chunk) => ({ chunk, from: chunks })),
    );
    while (taken.length > 0) {
      const some = taken.slice(0, CHUNKS_AT_ONCE);
      try {
        await this.#deps.history.putChunks(some.map(({ chunk }) => trackChunk(chunk)));
      } catch (error) {
        for (const { chunk, from } of taken) from.retry(chunk);
        throw error;
      }
      taken.splice(0, some.length);
    }
  }
}

/**
 * Keys make a repeat (a replay, or the store's echo of a detected status) replace itself. A status that was reached twice
 * has two times, so it makes two events.
 */
export function eventsOf(trip: Trip): TripEvent[] {
  const { tripId, status, statusSource: source, statusAtMs: atMs, waypointIndex } = trip;
  const key = `status-${status}-${waypointIndex}`;
  const events: TripEvent[] = [{ tripId, atMs, key, kind: "status", status, source, waypointIndex }];
  for (const { fromMs, driverId } of trip.assignments)
    events.push({ tripId, atMs: fromMs, key: `driver-${driverId}`, kind: "driver", driverId });
  return events;
}
