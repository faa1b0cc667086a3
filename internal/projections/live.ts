import type { Limits } from "../core/limits.ts";
import type { PackedLive } from "../core/packed-live.ts";
import type { Clock } from "../core/time.ts";
import type { Latest, LatestParty } from "../latest/latest.ts";
import type { LiveBus } from "../live/bus.ts";
import type { Lease } from "../partitions/lease.ts";
import { latestParties } from "../pipeline/latest-parties.ts";
import type { Detection, PipelineOutput } from "../pipeline/output.ts";
import type { PartitionState } from "../pipeline/state.ts";
import type { ProjectionEvents } from "./events.ts";
import type { View } from "./view.ts";

export type LiveViewDeps = {
  bus: Pick<LiveBus, "publish" | "publishRider">;
  latest: Latest;
  clock: Clock;
  limits: Limits;
  lease(partition: number): Lease | undefined;
  /** Least time between two calls of `store`; 0, the default, stores after every batch. */
  storePeriodMs?: number;
  /** Proposes a detected phase to the trips store. Never throws; bounded by its maker. */
  propose(detection: Detection): void;
  events?: ProjectionEvents;
};

type Pending = { parties: Map<string, LatestParty>; trips: Set<string>; state: PartitionState };

/**
 * The live view: publishes each change at once (its input is durable), then writes the latest state. Holds one pending
 * update per party and trip, whatever the store does: the newest wins.
 */
export class LiveView implements View {
  readonly name = "live";
  readonly waitsForStore = false;
  readonly storePeriodMs: number;
  readonly #deps: LiveViewDeps;
  readonly #pending = new Map<number, Pending>();

  constructor(deps: LiveViewDeps) {
    this.#deps = deps;
    this.storePeriodMs = deps.storePeriodMs ?? 0;
  }

  restored(state: PartitionState): void {
    const pending: Pending = { parties: new Map(), trips: new Set(), state };
    addAll(pending);
    this.#pending.set(state.partition, pending);
  }

  /** What the store lost of the partitions at hand is written anew from memory. */
  watch(due: () => void): () => void {
    return this.#deps.latest.onLost(() => {
      if (this.#pending.size === 0) return;
      this.#deps.events?.lost();
      for (const pending of this.#pending.values()) addAll(pending);
      due();
    });
  }

  released(partition: number): void {
    this.#pending.delete(partition);
  }

  entry(state: PartitionState, out: PipelineOutput): void {
    const pending = this.#pending.get(state.partition)!;
    const processedAtMs = this.#deps.clock.now();
    for (const change of out.changes) {
      if (change.position) change.position.processedAtMs = processedAtMs;
      this.#deps.bus.publish(change);
      pending.trips.add(change.tripId);
    }
    for (const place of out.riders) {
      if (place.position) place.position.processedAtMs = processedAtMs;
      this.#deps.bus.publishRider(place);
    }
    for (const party of out.parties) pending.parties.set(party.partyKey, party);
    for (const detection of out.detections) this.#deps.propose(detection);
  }

  async store(): Promise<void> {
    const stored = await Promise.allSettled([...this.#pending.values()].map((each) => this.#store(each)));
    const failed = stored.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
  }

  async #store(pending: Pending): Promise<void> {
    const { partition } = pending.state;
    if (pending.parties.size === 0 && pending.trips.size === 0) return;
    const lease = this.#deps.lease(partition);
    if (!lease?.valid()) return;
    const parties = [...pending.parties.values()];
    const trips = [...pending.trips];
    pending.parties.clear();
    pending.trips.clear();
    try {
      const { refused } = await this.#deps.latest.update({
        partition,
        partitionEpoch: lease.epoch,
        parties,
        trips: trips.flatMap((tripId) => liveOf(pending.state, tripId)),
        removed: [],
      });
      if (refused > 0) this.#deps.events?.refused(partition, refused);
    } catch (error) {
      for (const party of parties)
        if (!pending.parties.has(party.partyKey)) pending.parties.set(party.partyKey, party);
      for (const tripId of trips) pending.trips.add(tripId);
      throw error;
    }
  }

  own(): Uint8Array {
    return new Uint8Array(0);
  }
}

/** All that is known of the partition waits to be written. */
function addAll({ parties, trips, state }: Pending): void {
  for (const party of latestParties(state)) parties.set(party.partyKey, party);
  for (const tripId of state.trips.keys()) trips.add(tripId);
}

function liveOf(state: PartitionState, tripId: string): PackedLive[] {
  const trip = state.trips.get(tripId);
  return trip ? [trip] : [];
}
