import type { Rect } from "../core/geo.ts";
import type { TripLive } from "../core/live.ts";
import type { PackedLive } from "../core/packed-live.ts";

/**
 * PORT: where is everyone now, and what does a viewer of a trip see now. A cache that the log can rebuild, never the
 * record.
 *
 * Implementations must ensure
 * - newest wins: an update with an older (session epoch, seq) than the stored one changes nothing (the same one is taken
 *   anew: its trip may have changed), and neither does a trip with a version that is not newer;
 * - fencing: an update whose partition epoch is older than the newest seen for that partition is refused and counted
 *   in the result;
 * - one place: a party is found in exactly one place, the newest; searches equal brute force over the stored parties;
 * - nothing is copied needlessly: parties that `update` is given belong to the engine from then on, trips are read before it
 *   gives its promise (the pipeline goes on changing them), and what is read must not be changed;
 * - no return: for 60 s after a removal an update that is no newer than what was removed changes nothing (it was on its
 *   way for long);
 * - bounds: a party not updated for `lastSeenMs` leaves by `sweep`; a trip leaves at its `dropAtMs`.
 */
export interface Latest {
  /** Writes a flush of updates of one partition owner. */
  update(flush: LatestFlush): Promise<{ refused: number }>;
  /** The party's newest position. */
  party(partyKey: string): Promise<LatestParty | undefined>;
  /** The trip's live state, or undefined when it has none (never seen, or live access is over). */
  trip(tripId: string): Promise<TripLive | undefined>;
  /**
   * Since when the engine has lost nothing where the trip would be, milliseconds since 1970; 0 when that is longer than it
   * keeps what nobody touches. It tells what it means that a trip has no live state: a trip made later has none yet, one
   * made before has lost it until its partition's owner, who hears of the loss too, has written it anew. An engine need
   * not see the loss of single writes.
   */
  intactSince(tripId: string): Promise<number>;
  /** Parties in the rectangle, any order, at most `limit`; `truncated` when there were more. */
  within(rect: Rect, limit: number): Promise<{ parties: LatestParty[]; truncated: boolean }>;
  /** Parties within the radius, nearest first, at most `limit`. */
  nearby(
    latDeg: number,
    lonDeg: number,
    radiusM: number,
    limit: number,
  ): Promise<(LatestParty & { distanceM: number })[]>;
  /** Drops the silent and the over: parties updated before `beforeMs`, trips with `dropAtMs` before `nowMs`. */
  sweep(beforeMs: number, nowMs: number): Promise<{ parties: number; trips: number }>;
  /**
   * Calls back when the engine has lost something that this process wrote, within about a second also when nothing is
   * written meanwhile: then all of it must be written anew. The returned function ends it.
   */
  onLost(listener: () => void): () => void;
  [Symbol.asyncDispose](): Promise<void>;
}

export type LatestFlush = {
  /**
   * What is fenced. A writer that owns no partition (a rebuild) takes a number beyond all partitions: it fences nobody out,
   * and newest wins alone decides what it changes.
   */
  partition: number;
  /** The owner's right to write. */
  partitionEpoch: number;
  parties: LatestParty[];
  trips: PackedLive[];
  /** Parties to forget at once (erasure). */
  removed: string[];
};

export type LatestParty = {
  /** `driver/ID` or `rider/ID`. */
  partyKey: string;
  sessionEpoch: number;
  seq: number;
  latDeg: number;
  lonDeg: number;
  /** NaN while unknown. */
  headingDeg: number;
  /** NaN while unknown. */
  speedMps: number;
  /** In server time. */
  capturedAtMs: number;
  receivedAtMs: number;
  /** Running trip; empty when free. */
  tripId: string;
};
