import type { Fix, Party } from "../core/fix.ts";
import type { StatusSource, TripStatus } from "../core/trip.ts";

/**
 * PORT: what happened.
 *
 * Implementations must ensure
 * - durability: a resolved write survives a crash;
 * - upserts only: the same chunk key again replaces the row; rows that overlap are fine, `track` gives each
 *   (session, seq) once (the first by received time wins; `published` is taken from whichever has it);
 * - versions: an older version of a chunk or of a final record never replaces a newer one, in whatever order they come
 *   (a former owner may wake up and write); see `chunkVersion` and `finalVersion` in version.ts. Of two with the same
 *   version either stays;
 * - order: `track` yields by (corrected capture time, session id, seq);
 * - retention: rows older than the support period leave by themselves or by `trim`.
 * Any method rejects with STORE_UNAVAILABLE when the engine can't be reached.
 */
export interface History {
  /** Writes chunks, and replaces older versions of them. */
  putChunks(chunks: readonly TrackChunk[], options?: PutOptions): Promise<void>;
  /** Fixes of the party captured in [fromMs, toMs] (corrected time), after `after`, at most `limit`. */
  track(query: TrackQuery): Promise<RecordedFix[]>;
  /** Writes what a trip's settlement found, and replaces an older version of it. */
  putFinal(final: TripFinal): Promise<void>;
  final(tripId: string): Promise<TripFinal | undefined>;
  /** Adds events; the same (trip, atMs, key) again replaces it. */
  putEvents(events: readonly TripEvent[]): Promise<void>;
  /** Oldest first; `after` is the (atMs, key) of the page before. */
  events(tripId: string, limit: number, after?: { atMs: number; key: string }): Promise<TripEvent[]>;
  /** Removes rows captured before the time. */
  trim(beforeMs: number): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A store itself, not several as one: for what is stored to be compared with the log, and corrected where it is. */
export interface HistoryStore extends History {
  /**
   * The chunks as they are stored that hold fixes of the party captured in [fromMs, toMs] (corrected time), in no order;
   * written again with `putChunks` they replace themselves. One chunk may come in several parts under the same key, with
   * other fixes in each. All come at once: ask for an hour at most.
   */
  chunks(query: ChunkQuery): Promise<TrackChunk[]>;
}

export type ChunkQuery = { party: Party; fromMs: number; toMs: number };

export type PutOptions = {
  /** Writes over whatever is there, as of now: for a view that is built anew from the log. */
  repair?: boolean;
};

/** A fix in the record. */
export type RecordedFix = Fix & {
  sessionId: string;
  sessionEpoch: number;
  /** Server time minus device time as applied. */
  clockOffsetMs: number;
  receivedAtMs: number;
  /** What viewers were shown for it; NaN when it was never shown. */
  publishedLatDeg: number;
  publishedLonDeg: number;
  late: boolean;
  outlier: boolean;
  superseded: boolean;
};

/**
 * Up to maxFixesPerChunk fixes of one party and session, in order of arrival. Key: (party, day of firstAtMs, firstAtMs,
 * sessionId, firstSeq, firstSequence). The last part keeps a fix that stands twice in the log, and begins a chunk both
 * times, from replacing the first chunk by the second; a replay of the log gives the same keys again.
 */
export type TrackChunk = {
  party: Party;
  sessionId: string;
  /** Corrected capture time of the first fix of the chunk to arrive. */
  firstAtMs: number;
  firstSeq: number;
  /** Log sequence of the entry that brought that fix, within its partition. */
  firstSequence: number;
  /** Smallest and largest corrected capture time in the chunk. */
  minAtMs: number;
  maxAtMs: number;
  fixes: readonly RecordedFix[];
};

export type TrackQuery = {
  party: Party;
  fromMs: number;
  toMs: number;
  limit: number;
  after?: { atMs: number; sessionId: string; seq: number };
};

export type PhaseSpan = { status: TripStatus; fromMs: number; toMs: number; source: StatusSource };

/** What settlement computes: a pure function of the set of fixes and the trip. */
export type TripFinal = {
  tripId: string;
  revision: number;
  settledAtMs: number;
  distanceM: number;
  approachM: number;
  phases: PhaseSpan[];
  track: FinalPoint[];
};

export type FinalPoint = {
  party: Party;
  sessionId: string;
  seq: number;
  capturedAtMs: number;
  clockOffsetMs: number;
  receivedAtMs: number;
  latDeg: number;
  lonDeg: number;
};

export type TripEvent = { tripId: string; atMs: number; key: string } & (
  | {
      kind: "status";
      status: TripStatus;
      source: StatusSource;
      /** The waypoint that it is about, as in Trip. */
      waypointIndex?: number;
    }
  | { kind: "driver"; driverId: string }
  | { kind: "settled"; distanceM: number; approachM: number; phases: PhaseSpan[]; revision: number }
);
