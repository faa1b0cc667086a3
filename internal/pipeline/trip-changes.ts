import { partitionOf } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import { Trail } from "../core/trail.ts";
import { isRunning, type Trip } from "../core/trip.ts";
import { emit } from "./context.ts";
import { homePartition } from "./home.ts";
import type { PipelineOutput } from "./output.ts";
import { createPhaseState, phaseReset } from "./stages/phase.ts";
import type { PartitionState, TripState } from "./state.ts";
import { assign, release } from "./trip-of-driver.ts";

/**
 * A trip as stored came by: the higher version wins, a repeat is nothing, and its status wins over the one that was
 * detected here. A trip that lives in another partition now is dropped; one of a new generation begins anew.
 */
export function tripChanged(
  state: PartitionState,
  entry: { sequence: number },
  trip: Trip,
  limits: Limits,
  out: PipelineOutput,
): void {
  const before = state.trips.get(trip.tripId);
  if (before && trip.version <= before.trip.version) return;
  const isHome = homePartition(trip, limits.partitions) === state.partition;
  if (!isHome && !before && !hasDriven(state, trip, limits)) return; // it came for a rider's sake (shares.ts)
  out.trips.push(trip);
  if (!isHome) {
    if (before) forgetTrip(state, before);
    return;
  }
  if (!before && !isRunning(trip) && trip.endedAtMs + limits.liveAfterEndMs <= state.pipelineTimeMs) return;
  const same = before && before.trip.generation === trip.generation ? before : undefined;
  if (before && !same) forgetTrip(state, before);
  const current = same ?? begin(state, trip);
  const news = !same || !sameForViewers(same.trip, trip);
  current.trip = trip;
  current.live.trip = trip;
  if (trip.endedAtMs > 0) current.live.dropAtMs = trip.endedAtMs + limits.liveAfterEndMs;
  phaseReset(current.phase, trip);
  assign(state, current);
  if (!news) return;
  const { device } = current.live;
  const change = emit({ out, sequence: entry.sequence }, current);
  change.trip = trip;
  if (!same && device) change.device = device;
}

/** Takes a trip out of the partition. */
export function forgetTrip(state: PartitionState, { trip }: TripState): void {
  state.trips.delete(trip.tripId);
  release(state, trip);
}

function begin(state: PartitionState, trip: Trip): TripState {
  const device = trip.driverId ? state.parties.driver.get(trip.driverId)?.device : undefined;
  const begun: TripState = {
    trip,
    fromMs: 0,
    phaseOf: undefined,
    hasPhases: false,
    phase: createPhaseState(),
    trail: new Trail(),
    live: {
      tripId: trip.tripId,
      version: { generation: trip.generation, sequence: 0, index: 0 },
      trip,
      position: undefined,
      device,
      dropAtMs: 0,
    },
  };
  state.trips.set(trip.tripId, begun);
  return begun;
}

/** True when a driver of the partition drives the trip or did: their fixes are its record. */
function hasDriven({ partition }: PartitionState, trip: Trip, limits: Limits): boolean {
  return trip.assignments.some(
    ({ driverId }) => partitionOf({ kind: "driver", id: driverId }, limits.partitions) === partition,
  );
}

/** True when only the bookkeeping differs (the store's echo of a detected phase). */
function sameForViewers(a: Trip, b: Trip): boolean {
  const visible = (trip: Trip) => JSON.stringify({ ...trip, version: 0, updatedAtMs: 0 });
  return visible(a) === visible(b);
}
