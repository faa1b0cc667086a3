import { isRunning, type Trip } from "../core/trip.ts";
import type { PartitionState, TripState } from "./state.ts";

/** A driver's fixes go to the running trip; should there be two, to the one that was made last. */
export function assign(state: PartitionState, current: TripState): void {
  const { trip } = current;
  current.fromMs = trip.assignments.at(-1)?.fromMs ?? Number.POSITIVE_INFINITY;
  if (!trip.driverId) return;
  if (!isRunning(trip)) {
    release(state, trip);
    return;
  }
  const other = state.tripOfDriver.get(trip.driverId);
  if (!other || other.trip.tripId <= trip.tripId) bind(state, trip.driverId, current);
}

/** The driver's fixes go to the trip no more, but to another running one of theirs if there is any. */
export function release(state: PartitionState, trip: Trip): void {
  if (state.tripOfDriver.get(trip.driverId)?.trip.tripId !== trip.tripId) return;
  bind(state, trip.driverId, undefined);
  for (const other of state.trips.values()) {
    if (other.trip.tripId !== trip.tripId && other.trip.driverId === trip.driverId) assign(state, other);
  }
}

function bind(state: PartitionState, driverId: string, current: TripState | undefined): void {
  if (current) state.tripOfDriver.set(driverId, current);
  else state.tripOfDriver.delete(driverId);
  const party = state.parties.driver.get(driverId);
  if (party) party.trip = current;
}
