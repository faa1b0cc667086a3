import type { Trip } from "../core/trip.ts";

/** A trip as stores keep it: JSON, with what trips stored by older builds lack. */
export function storedTrip(body: string): Trip {
  const trip = JSON.parse(body) as Trip;
  trip.sharingRiderIds ??= [];
  return trip;
}
