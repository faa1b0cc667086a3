import type { TrailPoint, VehiclePosition } from "../../../gen/bimride/tracking/v1/live_pb.ts";
import type { Trip } from "../../../gen/bimride/tracking/v1/trip_pb.ts";
import type { TripState } from "../../client/watcher.ts";
import { Marker } from "../../motion/marker.ts";
import type { MotionPoint } from "../../motion/track.ts";

/** The marker and what it was fed last. */
export type FeedState = {
  marker: Marker;
  generation: number;
  position: VehiclePosition | undefined;
  trail: readonly TrailPoint[];
  trip: Trip | undefined;
  /** True when the trip itself is another than the last time. */
  newTrip: boolean;
};

function pointOf(position: VehiclePosition): MotionPoint {
  return {
    tMs: Number(position.capturedAtMs),
    latDeg: position.latitudeE7 / 1e7,
    lonDeg: position.longitudeE7 / 1e7,
    headingDeg: position.headingDeg,
    speedMps: position.speedCmps === undefined ? undefined : position.speedCmps / 100,
  };
}

function trailPointOf(point: TrailPoint): MotionPoint {
  return {
    tMs: Number(point.capturedAtMs),
    latDeg: point.latitudeE7 / 1e7,
    lonDeg: point.longitudeE7 / 1e7,
  };
}

/** Gives the marker what is new in a state; a new generation is another car and starts it anew. */
export function feedMarker(old: FeedState | undefined, state: TripState, nowMs: number): FeedState {
  const generation = state.version?.generation ?? 0;
  const feed: FeedState =
    old && old.generation === generation
      ? { ...old }
      : { marker: new Marker(), generation, position: undefined, trail: [], trip: undefined, newTrip: true };
  if (state.trail !== feed.trail) {
    const known = new Set(feed.trail.map((point) => point.capturedAtMs));
    const newestMs = state.position?.capturedAtMs;
    const more = state.trail.filter(
      (point) => !known.has(point.capturedAtMs) && point.capturedAtMs !== newestMs,
    );
    feed.marker.insert(more.map(trailPointOf));
    feed.trail = state.trail;
  }
  if (state.position && state.position !== feed.position) {
    feed.marker.push(pointOf(state.position), nowMs);
    feed.position = state.position;
  }
  feed.newTrip = state.trip !== feed.trip;
  feed.trip = state.trip;
  return feed;
}
