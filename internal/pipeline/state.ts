import type { Party, PartyKind } from "../core/fix.ts";
import type { DeviceStatus } from "../core/live.ts";
import type { PackedLive } from "../core/packed-live.ts";
import type { SeqIntervals } from "../core/seq-intervals.ts";
import type { TakeOvers } from "../core/take-overs.ts";
import type { Trip } from "../core/trip.ts";
import type { LatestParty } from "../latest/latest.ts";
import type { PhaseState } from "./stages/phase.ts";
import type { PositionState } from "./stages/position.ts";
import type { TripEntries } from "./trip-entry.ts";

/** All that the pipeline remembers of one partition; a snapshot holds it whole. */
export type PartitionState = {
  partition: number;
  /** Sequence of the last entry processed. */
  cursor: number;
  /** The pipeline's clock: receipt stamps of the records, never going back. */
  pipelineTimeMs: number;
  /** Pipeline time of the last sweep. */
  sweptAtMs: number;
  /** By kind, then id: a fix finds its party without a key being made. */
  parties: Record<PartyKind, Map<string, PartyState>>;
  /** Trips whose home is this partition, running and recently ended. */
  trips: Map<string, TripState>;
  /** Running trip by driver id; follows from `trips`. */
  tripOfDriver: Map<string, TripState>;
  /** Trips whose driver a rider lets see where they are, or did, by rider id: at most maxSharedTripsPerRider, the newest last. */
  shares: Map<string, RiderShare[]>;
  /** Riders with a share by trip id; follows from `shares`. */
  sharersOf: Map<string, Set<string>>;
  /** Parties to be forgotten, with the time up to which; by party key. */
  erased: Map<string, number>;
  /** For snapshots. */
  readonly tripEntries: TripEntries;
};

/** A party as the stages see it. */
export type PartyState = {
  party: Party;
  key: string;
  /** Newest last; at most maxSessionsPerParty. */
  sessions: SessionState[];
  /** The one of `sessions` that moves the marker (marker.ts); undefined before the first. */
  marker: SessionState | undefined;
  /** Pipeline times of the last changes of `marker`. */
  takeOvers: TakeOvers;
  /** Corrected capture time of the newest fix applied; 0 before the first. */
  lastAtMs: number;
  /** Pipeline time of the last record. */
  lastSeenMs: number;
  position: PositionState;
  device: DeviceStatus | undefined;
  /** As last put out; undefined before the first fix. */
  latest: LatestParty | undefined;
  /** Its running trip; the same as tripOfDriver says, at hand for every fix. */
  trip: TripState | undefined;
};

export type SessionState = {
  sessionId: string;
  epoch: number;
  /** Its stream has closed since it opened last. */
  closed: boolean;
  seen: SeqIntervals;
  /** Largest seq applied; -1 before the first. */
  highSeq: number;
  /** Batches in a row whose newest fix is newer by seq and older by time. */
  behind: number;
  /** Added to corrected times after a step of the device clock. */
  shiftMs: number;
};

export type TripState = PackedLive & {
  trip: Trip;
  /** Fixes captured before it are not of this trip: when its driver was assigned; never while there is none. */
  fromMs: number;
  phase: PhaseState;
  /** The trip that `phase` and `hasPhases` are about; another one than `trip` before its next fix. */
  phaseOf: Trip | undefined;
  hasPhases: boolean;
};

/**
 * A trip that a rider of the partition shares their place with, or did: kept beyond the share's end, so that older news of
 * the trip can't bring it back.
 */
export type RiderShare = {
  riderId: string;
  trip: Trip;
  /** The driver was told a place last. */
  shown: boolean;
};

/** All parties of the partition, drivers first. */
export function* partiesOf({ parties }: PartitionState): Generator<PartyState> {
  yield* parties.driver.values();
  yield* parties.rider.values();
}

/** The empty state of a partition. */
export function createPartitionState(partition: number): PartitionState {
  return {
    partition,
    cursor: 0,
    pipelineTimeMs: 0,
    sweptAtMs: 0,
    parties: { driver: new Map(), rider: new Map() },
    trips: new Map(),
    tripOfDriver: new Map(),
    shares: new Map(),
    sharersOf: new Map(),
    erased: new Map(),
    tripEntries: new WeakMap(),
  };
}
