import type { LiveChange, TripLive } from "../core/live.ts";
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
