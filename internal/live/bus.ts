import type { LiveChange, RiderPlace } from "../core/live.ts";

/**
 * PORT: what happens now, to those who listen now.
 *
 * Implementations must ensure
 * - order: changes of one trip published by one process reach each subscriber in order; none is held for those who
 *   were not subscribed;
 * - at most once: a change may be lost (`previous` tells), never repeated by the bus;
 * - no way up: `publish` never blocks or throws on account of a subscriber.
 */
export interface LiveBus {
  /** Publishes one trip's change. */
  publish(change: LiveChange): void;
  /** Calls `listener` for each change of the trip from now on. Resolves once the subscription stands. */
  subscribe(tripId: string, listener: (change: LiveChange) => void): Promise<Subscription>;
  /** Publishes where a waiting rider is. Who listens to the trip's changes does not hear it. */
  publishRider(place: RiderPlace): void;
  /** Calls `listener` for each place of the trip's waiting riders from now on: for the trip's driver alone. */
  subscribeRiders(tripId: string, listener: (place: RiderPlace) => void): Promise<Subscription>;
  /** Sends a message to the streams of a party, on whatever gateway, or to nodes. */
  notify(message: PartyMessage): void;
  /** Calls `listener` for each message to the party, or under that key to nodes, from now on. */
  listen(partyKey: string, listener: (message: PartyMessage) => void): Promise<Subscription>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Ends when disposed. */
export type Subscription = Disposable;

/** A session with a stream open, as its node tells of it. */
export type PresentSession = {
  kind: "publishing" | "watching";
  /** Of a publishing session; empty for others. */
  sessionId: string;
  /** Names the sign-in behind it; stays within the deployment. */
  signInId: string;
  /** As the client said; may be empty. */
  deviceId: string;
  appVersion: string;
  transport: string;
  openedAtMs: number;
  lastHeardAtMs: number;
  /** When its token ends. */
  expiresAtMs: number;
  /** Of a publishing session; `contested`: it moves the marker, and further take-overs are refused for now. */
  standing: "" | "movesMarker" | "behind" | "contested";
  /** Of a publishing session; else 0. */
  sessionEpoch: number;
};

/** What a party's stream must know; and the roll-call of a user's sessions, whose keys are those of nodes. */
export type PartyMessage =
  | { partyKey: string; kind: "assignmentChanged"; tripId: string; tripVersion: number }
  | { partyKey: string; kind: "sessionOpened"; sessionId: string; sessionEpoch: number }
  /**
   * Somebody else watches the party on the trip, which counts for so long from when it is heard; said again and again while it
   * lasts, so that it need not be taken back. `saidAtMs`, by the clock of who says it, tells it from its repeats.
   */
  | { partyKey: string; kind: "watched"; tripId: string; forMs: number; saidAtMs: number }
  | {
      partyKey: string;
      /** Said where the marker was when a session opened elsewhere: who moves it now, and when it was taken over last. */
      kind: "markerTold";
      sessionId: string;
      sessionEpoch: number;
      takeOversMs: readonly number[];
    }
  | { partyKey: string; kind: "rollCall"; user: string; askId: string }
  | { partyKey: string; kind: "present"; nodeId: string; sessions: readonly PresentSession[] };
