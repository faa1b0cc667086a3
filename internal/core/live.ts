import type { DeviceState } from "./fix.ts";
import type { Trip } from "./trip.ts";
import type { Version } from "./version.ts";

/** The car of a trip as shown. Times are server time, milliseconds since 1970. */
export type LivePosition = {
  latDeg: number;
  lonDeg: number;
  /** NaN while unknown. */
  headingDeg: number;
  /** NaN while unknown. */
  speedMps: number;
  /** 68 % radius after smoothing. */
  accuracyM: number;
  capturedAtMs: number;
  receivedAtMs: number;
  loggedAtMs: number;
  processedAtMs: number;
};

export type TrailPoint = { latDeg: number; lonDeg: number; capturedAtMs: number };

/** What the pipeline knows of the driver's device, for the reason of a silence and for doubts about fresh positions. */
export type DeviceStatus = {
  /** As last reported. */
  state: DeviceState;
  /** Its stream stands. */
  connected: boolean;
  /** Its stream broke; false when the app said goodbye, and while it stands. */
  lost: boolean;
  /** Its newest fix is made up, by the operating system's word. */
  mockFix: boolean;
  /** When it was last heard of, server time. */
  atMs: number;
};

/** The live state of a trip before redaction: what a snapshot holds. */
export type TripLive = {
  tripId: string;
  version: Version;
  trip: Trip;
  /** Undefined before the first fix of the driver. */
  position: LivePosition | undefined;
  /** Oldest first, bounded by maxTrailPoints. */
  trail: TrailPoint[];
  device: DeviceStatus | undefined;
  /** When live access ends (30 min after the trip's end); 0 while the trip runs. */
  dropAtMs: number;
};

/**
 * One change of a trip's live state, as it travels on the bus. `position` alone is a state message (newest wins);
 * with `trip` it is an event (ordered, never dropped). Applying all changes in order to an older TripLive gives the
 * newest one.
 */
export type LiveChange = {
  tripId: string;
  version: Version;
  /** The version before this one: who has another must read the snapshot again. */
  previous: Version;
  position?: LivePosition;
  /** Places that arrived late: into the trail by time. Never newer than the position. */
  latePoints?: TrailPoint[];
  /** The trip after its change. */
  trip?: Trip;
  device?: DeviceStatus;
};

/**
 * Where a rider is who waits for the pickup and agreed to be seen by the trip's driver. No part of the trip's live state
 * and its version: it comes from the rider's partition, not from the trip's.
 */
export type RiderPlace = {
  tripId: string;
  riderId: string;
  /** Log sequence of the entry that told of it, in the rider's partition. */
  sequence: number;
  /** Number of the message within that entry: of two about a rider, the one with larger sequence, then index, is right. */
  index: number;
  /** Undefined once the driver may not see it any more. */
  position: LivePosition | undefined;
};

/** True when the first is to replace the second. */
export function isNewerPlace(a: RiderPlace, b: RiderPlace): boolean {
  return a.sequence > b.sequence || (a.sequence === b.sequence && a.index > b.index);
}
