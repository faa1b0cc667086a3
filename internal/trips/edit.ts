import type { ErrorCode } from "../core/errors.ts";
import type { LatLon } from "../core/geo.ts";
import type { Trip, TripActionKind, TripStatus, Waypoint } from "../core/trip.ts";

/**
 * What may happen to a trip. `atMs` is server time.
 *
 * - status: said by the driver or the backend. Forward to the next stage with that status. Back only as a correction:
 *   from ARRIVED to ENROUTE of the same waypoint, and over what was merely detected by up to two stages, so that a person
 *   can always put right what the pipeline took for a leg. COMPLETE once the car has left the first pickup; CANCELED
 *   always.
 * - detected: seen in the fixes by one who knew the trip's version `tripVersion`. Forward only, never an end, and
 *   nothing that an explicit status or another change has overtaken. (One that knew only the version before an earlier
 *   detection is fine: the pipeline may be a phase ahead of the store.)
 * - action: what the driver does, see act.ts.
 * - cancel: called off, with a reason.
 * - update: see update.ts.
 * - sharing: a rider of the trip lets its driver see where they are until the pickup, or no longer.
 */
export type TripEdit =
  | { kind: "status"; status: TripStatus; atMs: number }
  | { kind: "detected"; tripVersion: number; status: TripStatus; waypointIndex: number; atMs: number }
  | { kind: "action"; action: TripActionKind; waypointIndex: number | undefined; atMs: number }
  | { kind: "cancel"; reason: string; atMs: number }
  | ({ kind: "update"; atMs: number } & TripUpdate)
  | { kind: "sharing"; riderId: string; granted: boolean; atMs: number };

/** Absent fields stay as they are. */
export type TripUpdate = {
  /** Empty takes the driver off. */
  driverId?: string;
  riderIds?: string[];
  /** The waypoints after those already reached. */
  waypoints?: Waypoint[];
  plannedPath?: LatLon[];
};

/** `changed` carries the next version; `refused` says why in words that may be shown to the caller. */
export type EditResult =
  | { outcome: "changed"; trip: Trip }
  | { outcome: "unchanged" }
  | { outcome: "refused"; code: ErrorCode; field: string; reason: string };
