import type { LiveChange, RiderPlace, TripLive } from "../core/live.ts";
import type { Trip } from "../core/trip.ts";
import type { Version } from "../core/version.ts";

/**
 * The viewers of one edge node: one bus subscription per trip that somebody here watches, one current state per trip,
 * one mailbox per viewer.
 */
export interface Hub extends AsyncDisposable {
  /**
   * Joins a viewer. Undefined when the trip has no live state (never seen, or live access is over).
   * @param resumeAfter the version the viewer has: what is missing follows when it is still at hand, else a snapshot
   */
  join(tripId: string, resumeAfter: Version | undefined): Promise<Feed | undefined>;
  /** The state now: from the hub where somebody watches, else from the latest store. For polling. */
  read(tripId: string): Promise<TripLive | undefined>;
  /**
   * Follows where the trip's waiting riders are. For the trip's driver alone: that is for the caller to see to.
   * @param trip as it is now
   * @param onNews called after each change
   */
  riders(trip: Trip, onNews: () => void): RiderFeed;
  /**
   * Where they are now, from the latest store. For polling, and for the trip's driver alone likewise. Rejects with
   * STORE_UNAVAILABLE.
   */
  readRiders(trip: Trip): Promise<RiderPlace[]>;
}

/** Where riders of a trip are, newest first hand. Dispose it to leave. */
export interface RiderFeed extends Disposable {
  /** Resolves once what was known before is here, or could not be read for now. */
  readonly ready: Promise<void>;
  /** By rider, at most maxRiders; a place without a position is gone. Whether the trip still allows it is not looked at. */
  readonly places: ReadonlyMap<string, RiderPlace>;
}

/** Who watches through one edge node, for those who are watched: they send more often then. */
export interface Presence {
  /**
   * Somebody watches until the returned subscription is disposed.
   * @param userKey the viewer's role and id, `rider/ID`: nobody is told that they watch themselves
   * @param trip what they watch now, asked again and again; undefined while they see nothing of the car
   */
  stay(userKey: string, trip: () => Trip | undefined): Disposable;
  /** Somebody looked once and is likely to look again soon. */
  look(userKey: string, trip: Trip): void;
}

/** One viewer's view of one trip. Dispose it to leave. */
export interface Feed extends Disposable {
  /** The newest state, before what `next` has not told yet. */
  readonly live: TripLive;
  /**
   * What to tell the viewer next; waits for it. States are conflated (the newest wins, late points gather, at most
   * maxTrailPoints), events are kept in order; beyond maxQueuedEventsPerViewer a snapshot replaces the backlog.
   * Undefined once live access is over or the signal aborts.
   */
  next(signal: AbortSignal): Promise<FeedItem | undefined>;
}

export type FeedItem =
  | { kind: "snapshot"; live: TripLive }
  | { kind: "unchanged"; live: TripLive }
  | { kind: "change"; change: LiveChange };
