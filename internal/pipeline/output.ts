import type { Fix, FixBatch } from "../core/fix.ts";
import type { LiveChange, RiderPlace } from "../core/live.ts";
import type { Trip, TripStatus } from "../core/trip.ts";
import type { LatestParty } from "../latest/latest.ts";

/** What became of a fix: it moved the marker, came after a newer one, or is of a session that was taken over. */
export type Disposition = "applied" | "late" | "superseded";

/** A fix with what the stages made of it. Every fix yields one, repeats yield none. */
export type ProcessedFix = {
  batch: FixBatch;
  fix: Fix;
  /** Corrected capture time, server time in milliseconds since 1970. */
  atMs: number;
  disposition: Disposition;
  /** The gate took it for an outlier. */
  outlier: boolean;
  /** What viewers are shown for it; NaN when it is never shown. */
  publishedLatDeg: number;
  publishedLonDeg: number;
  /** The trip it belongs to; empty for none. */
  tripId: string;
};

/** A phase seen in the fixes, to be proposed to the trips store. */
export type Detection = {
  tripId: string;
  /** Version of the trip that it was seen on. */
  tripVersion: number;
  status: TripStatus;
  waypointIndex: number;
  /** Server time at which it was reached. */
  atMs: number;
};

/** What one entry yields. Filled by the stages, read by a projection, then cleared. */
export class PipelineOutput {
  readonly fixes: ProcessedFix[] = [];
  readonly changes: LiveChange[] = [];
  readonly parties: LatestParty[] = [];
  /** Waiting riders' places for their trips' drivers, and that there is none any more. */
  readonly riders: RiderPlace[] = [];
  /** Trips that changed, as known now. */
  readonly trips: Trip[] = [];
  readonly detections: Detection[] = [];

  clear(): void {
    empty(this.fixes);
    empty(this.changes);
    empty(this.parties);
    empty(this.riders);
    empty(this.trips);
    empty(this.detections);
  }
}

/** Most lists of most entries are empty; to set a length costs even then. */
function empty(list: unknown[]): void {
  if (list.length > 0) list.length = 0;
}
