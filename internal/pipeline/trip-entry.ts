import type { Trip } from "../core/trip.ts";
import { decodeEntry, encodeEntry } from "../eventlog/codec.ts";

/** Trips as snapshots have them, by the trip itself: a trip changes seldom, and its path makes it long. */
export type TripEntries = WeakMap<Trip, Uint8Array>;

/** The trip as in the log, an entry with one TripChange record; encoded once per trip. */
export function tripEntryOf(trip: Trip, entries: TripEntries): Uint8Array {
  let entry = entries.get(trip);
  if (!entry) {
    const record = { kind: "tripChange" as const, receivedAtMs: trip.updatedAtMs, trip };
    entry = encodeEntry({ region: trip.region, traceparent: "", records: [record] });
    entries.set(trip, entry);
  }
  return entry;
}

/** Inverse of {@link tripEntryOf}. Throws a RangeError when there is no trip in it. */
export function tripOfEntry(entry: Uint8Array): Trip {
  const record = decodeEntry(entry).records[0];
  if (record?.kind !== "tripChange") throw new RangeError("no trip where one belongs");
  return record.trip;
}
