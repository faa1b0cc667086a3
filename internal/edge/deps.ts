import type { FastifyPluginAsync } from "fastify";
import type { TokenMint } from "../auth/mint.ts";
import type { Authenticator, Principal } from "../auth/principal.ts";
import type { LatLon } from "../core/geo.ts";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import type { ServerTls } from "../core/tls.ts";
import type { Trip, TripStatus, TripType, Waypoint } from "../core/trip.ts";
import type { History } from "../history/history.ts";
import type { Latest } from "../latest/latest.ts";
import type { Hub, Presence } from "../live/hub.ts";
import type { Placement } from "../placement/placement.ts";
import type { Revocations } from "../sessions/revocations.ts";
import type { RollCall } from "../sessions/roll-call.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { TripFilter, Trips } from "../trips/trips.ts";

/** What a trip is made from. */
export type NewTrip = {
  idempotencyKey: string;
  type: TripType;
  riderIds: string[];
  /** Empty: assigned later. */
  driverId: string;
  waypoints: Waypoint[];
  plannedPath: LatLon[];
};

/** What to change of a trip; absent fields stay. An empty driverId takes the driver off. */
export type TripChanges = {
  driverId?: string;
  riderIds?: string[];
  waypoints?: Waypoint[];
  plannedPath?: LatLon[];
};

/**
 * The use-cases behind TripService, which check who may do what and reject with errors of the vocabulary.
 * `ifVersion` 0 means any.
 */
export interface TripUseCases {
  createTrip(principal: Principal, request: NewTrip): Promise<Trip>;
  getTrip(principal: Principal, tripId: string): Promise<Trip>;
  updateTrip(principal: Principal, tripId: string, changes: TripChanges, ifVersion: number): Promise<Trip>;
  setStatus(principal: Principal, tripId: string, status: TripStatus, ifVersion: number): Promise<Trip>;
  cancel(principal: Principal, tripId: string, reason: string): Promise<Trip>;
  /** Lets the trip's driver see where the caller is until the pickup, or no longer. */
  shareLocation(principal: Principal, tripId: string, granted: boolean): Promise<Trip>;
  /** Newest first, at most `limit`, after the trip of that id; empty for the first. */
  list(principal: Principal, filter: TripFilter, limit: number, after: string): Promise<Trip[]>;
}

/** One thing that must be well for this node to be sent work. Answers a reason when it is not. */
export type ReadinessCheck = { name: string; check: () => Promise<string | undefined> | string | undefined };

/**
 * Demo mode: tokens for the pages of this machine. Never given outside it.
 * @property joinCode with which phones of the same network may join; undefined where none may
 */
export type DemoDeps = { mint: TokenMint; joinCode?: string | undefined };

/** What the edge is built from. */
export type EdgeDeps = {
  hub: Hub;
  presence: Presence;
  latest: Pick<Latest, "within" | "intactSince">;
  history: Pick<History, "track" | "final" | "events">;
  trips: TripUseCases;
  /** The trips store, for reads whose rules are the edge's own (watching, the record). */
  tripStore: Pick<Trips, "get" | "list">;
  /** Where clients should go. */
  placement: Placement;
  /** Looks at revocations itself. */
  authenticator: Authenticator;
  revocations: Revocations;
  /** Asks all nodes for a user's sessions, and answers for this one. */
  rollCall: RollCall;
  clock: Clock;
  /** Random bytes, for ids of watches. */
  randomBytes: (count: number) => Uint8Array;
  limits: Limits;
  telemetry: Telemetry;
  readiness: readonly ReadinessCheck[];
  /** Folder of the built pages; undefined to serve none. */
  webRoot: string | undefined;
  /** More routes on the same server, e.g. ingest's HTTP and WebSocket ways in. */
  plugins: readonly FastifyPluginAsync[];
  /**
   * Lets the clients of these routes go when the server drains, before their connections are closed. At most 2 s are
   * given; a failure is its own to report.
   */
  drainPlugins?: () => Promise<void>;
  /** Undefined outside demo mode. */
  demo: DemoDeps | undefined;
  web: WebSettings;
  /** The certificate to show; without one the port speaks plain HTTP. */
  tls?: ServerTls | undefined;
};

/** What a deployment chooses about its web face. */
export type WebSettings = {
  /** Other origins whose pages may call (CORS), e.g. `https://maps.example.com`. */
  allowedOrigins: readonly string[];
  /** Origins that the map takes its style and tiles from, for the content security policy. */
  mapOrigins: readonly string[];
  /** Requests per minute and client address, a stream counted once, probes and fixes not; more: RATE_LIMITED. 0: no limit. */
  maxRequestsPerMinute: number;
  /** Tell browsers to come by TLS only from now on (HSTS). */
  strictTransport: boolean;
};

export const DEFAULT_WEB_SETTINGS: WebSettings = {
  allowedOrigins: [],
  mapOrigins: [],
  maxRequestsPerMinute: 60_000,
  strictTransport: false,
};
