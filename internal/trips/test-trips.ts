import type { Trip } from "../core/trip.ts";
import { newTrip } from "./new-trip.ts";
import { applyEdit } from "./state-machine.ts";
import type { Trips } from "./trips.ts";

const WRITERS = 4;
/** Of the trips of tests. */
export const REGIONS: readonly string[] = ["no1", "se1"];

/** A trip of the number, created at that millisecond. */
export function trip(number: number, driverId = `d${number}`, riderIds = ["r1"]): Trip {
  const stop = { position: { latDeg: 57.7, lonDeg: 11.97 }, riderId: "", label: "Drottningtorget" };
  const waypoints = [
    { ...stop, kind: "pickup" as const },
    { ...stop, kind: "dropoff" as const },
  ];
  const plannedPath = [{ latDeg: 57.7, lonDeg: 11.970000001 }];
  const order = { type: "shared" as const, riderIds, driverId, waypoints, plannedPath };
  return newTrip(`se1-${String(number).padStart(26, "0")}`, "se1", order, number);
}

/** The same as a trip of the other region. */
export function elsewhere(of: Trip): Trip {
  return { ...of, tripId: of.tripId.replace("se1", "no1"), region: "no1" };
}

/** The trip's next version, which ends it. */
export function canceled(current: Trip): Trip {
  const result = applyEdit(current, { kind: "cancel", reason: "no show", atMs: 9_000 });
  if (result.outcome !== "changed") throw new Error("the trip can't be canceled");
  return result.trip;
}

/**
 * Puts trips without end, several at once: every second one is created and then canceled. Each put that was answered is
 * printed as a line with trip id and version.
 */
export async function putUntilKilled(trips: Trips, print: (line: string) => void): Promise<never> {
  let number = 0;
  const write = async (): Promise<never> => {
    for (;;) {
      const created = trip(++number);
      for (const version of number % 2 === 0 ? [created] : [created, canceled(created)])
        if ((await trips.put(version)).stored) print(`${version.tripId} ${version.version}`);
    }
  };
  return (await Promise.all(Array.from({ length: WRITERS }, write)))[0]!;
}
