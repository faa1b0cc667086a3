import {
  Freshness,
  FreshnessReason,
  type LiveTrip,
  type RiderPlace,
  type TrailPoint,
  type TripUpdate,
  type VehiclePosition,
  type FreshnessState as WireFreshness,
} from "../../gen/bimride/tracking/v1/live_pb.ts";
import type { Trip } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import { isNewer, type LiveVersion } from "./live-version.ts";

/** Most points of a trail that a client keeps; the oldest leave. As many as the server sends. */
export const MAX_TRAIL_POINTS = 300;

/** How fresh the position is, and why not fresher. */
export type FreshnessView = {
  freshness: Freshness;
  reason: FreshnessReason;
  /** Time of the position it speaks of, server time in milliseconds since 1970; 0 when there is none. */
  sinceMs: number;
  /** True when the library said so from the position's age because nothing is heard from the server. */
  assumed: boolean;
};

/** The live state of one trip as this client knows it, without its connection. Values are replaced, never changed. */
export type LiveState = {
  tripId: string;
  trip: Trip | undefined;
  /** Of what is shown here; undefined before the first snapshot. */
  version: LiveVersion | undefined;
  position: VehiclePosition | undefined;
  /** Oldest first, at most {@link MAX_TRAIL_POINTS}. Ends with the current position. */
  trail: readonly TrailPoint[];
  freshness: FreshnessView;
  /** Riders who wait for the pickup and let the driver see where they are: told to the trip's driver alone. */
  riders: readonly RiderPlace[];
};

const NO_RIDERS: readonly RiderPlace[] = Object.freeze([]);

export const UNKNOWN_FRESHNESS: FreshnessView = Object.freeze({
  freshness: Freshness.UNSPECIFIED,
  reason: FreshnessReason.UNSPECIFIED,
  sinceMs: 0,
  assumed: false,
});

/** Nothing known yet. */
export function emptyState(tripId: string): LiveState {
  return {
    tripId,
    trip: undefined,
    version: undefined,
    position: undefined,
    trail: [],
    freshness: UNKNOWN_FRESHNESS,
    riders: NO_RIDERS,
  };
}

/** With these riders, which have no part in the version. The same object when there are none before and after. */
export function withRiders(state: LiveState, riders: readonly RiderPlace[]): LiveState {
  return state.riders.length + riders.length === 0 ? state : { ...state, riders };
}

/** Takes the newest place of a rider; one without a position is shown no more. */
export function applyRider(state: LiveState, place: RiderPlace): LiveState {
  const others = state.riders.filter(({ riderId }) => riderId !== place.riderId);
  return withRiders(state, place.position ? [...others, place] : others);
}

function freshnessOf(wire: WireFreshness | undefined): FreshnessView | undefined {
  if (!wire) return undefined;
  return { freshness: wire.freshness, reason: wire.reason, sinceMs: Number(wire.sinceMs), assumed: false };
}

/** The state with another freshness; the same object when nothing changed. */
export function withFreshness(state: LiveState, view: FreshnessView | undefined): LiveState {
  const old = state.freshness;
  const same =
    !view ||
    (old.freshness === view.freshness &&
      old.reason === view.reason &&
      old.sinceMs === view.sinceMs &&
      old.assumed === view.assumed);
  return same ? state : { ...state, freshness: view };
}

/** What an `unchanged` says. */
export function applyFreshness(state: LiveState, wire: WireFreshness | undefined): LiveState {
  return withFreshness(state, freshnessOf(wire));
}

/**
 * Points joined and sorted by time; of points of the same time the later given wins; the oldest beyond the bound leave.
 * Pure.
 */
export function mergeTrail(trail: readonly TrailPoint[], more: readonly TrailPoint[]): TrailPoint[] {
  const byTime = new Map<bigint, TrailPoint>();
  for (const point of trail) byTime.set(point.capturedAtMs, point);
  for (const point of more) byTime.set(point.capturedAtMs, point);
  const sorted = [...byTime.values()].sort((a, b) => (a.capturedAtMs < b.capturedAtMs ? -1 : 1));
  return sorted.slice(-MAX_TRAIL_POINTS);
}

function trailPointOf(position: VehiclePosition): TrailPoint {
  return {
    $typeName: "bimride.tracking.v1.TrailPoint",
    latitudeE7: position.latitudeE7,
    longitudeE7: position.longitudeE7,
    capturedAtMs: position.capturedAtMs,
  };
}

/** Takes a snapshot, which replaces all, when it is newer; else only its freshness when it is of the same version. */
export function applySnapshot(state: LiveState, live: LiveTrip): LiveState {
  const { trip, version, position } = live;
  if (!trip || !version) return state;
  if (!isNewer(version, state.version)) {
    return isNewer(state.version!, version) ? state : applyFreshness(state, live.freshness);
  }
  return {
    tripId: state.tripId,
    trip,
    version,
    position,
    trail: mergeTrail(live.trail, position ? [trailPointOf(position)] : []),
    freshness: freshnessOf(live.freshness) ?? UNKNOWN_FRESHNESS,
    riders: state.riders,
  };
}

/**
 * Takes an update when it is strictly newer than what is shown. One of the shown version may still change the
 * freshness, which comes from time alone; an older one changes nothing. An update before any snapshot is dropped: it
 * would show a car without its trip.
 */
export function applyUpdate(state: LiveState, update: TripUpdate): LiveState {
  if (!state.version || !update.version) return state;
  if (!isNewer(update.version, state.version)) {
    return isNewer(state.version, update.version) ? state : applyFreshness(state, update.freshness);
  }
  const otherCar = update.version.generation !== state.version.generation;
  const before = otherCar ? [] : state.trail;
  const more = update.position ? [...update.latePoints, trailPointOf(update.position)] : update.latePoints;
  return {
    tripId: state.tripId,
    trip: update.trip ?? state.trip,
    version: update.version,
    position: update.position ?? (otherCar ? undefined : state.position),
    trail: more.length > 0 ? mergeTrail(before, more) : before,
    freshness: freshnessOf(update.freshness) ?? state.freshness,
    riders: state.riders,
  };
}

/** Age limits of a position in milliseconds, as the server has them: DELAYED, STALE, LOST. */
export const FRESHNESS_AGES_MS = { delayed: 10_000, stale: 30_000, lost: 120_000 };

/**
 * The freshness while nothing is heard from the server: the worse of what it said last and what the position's age
 * says. `nowMs` is server time as estimated.
 */
export function assumeFreshness(known: FreshnessView, position: VehiclePosition | undefined, nowMs: number) {
  if (!position) return known;
  const ageMs = nowMs - Number(position.capturedAtMs);
  const byAge =
    ageMs > FRESHNESS_AGES_MS.lost
      ? Freshness.LOST
      : ageMs > FRESHNESS_AGES_MS.stale
        ? Freshness.STALE
        : ageMs > FRESHNESS_AGES_MS.delayed
          ? Freshness.DELAYED
          : Freshness.LIVE;
  if (byAge <= known.freshness) return known;
  return {
    freshness: byAge,
    reason: FreshnessReason.UNSPECIFIED,
    sinceMs: Number(position.capturedAtMs),
    assumed: true,
  } satisfies FreshnessView;
}
