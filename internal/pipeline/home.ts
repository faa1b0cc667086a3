import { partitionOf } from "../core/ids.ts";
import type { Trip } from "../core/trip.ts";

/**
 * The partition that a trip lives in: its driver's, so that fixes and trip meet in one ordered input; while there is no
 * driver, that of its first rider. Only this partition publishes the trip.
 */
export function homePartition(trip: Pick<Trip, "driverId" | "riderIds">, partitions: number): number {
  return trip.driverId
    ? partitionOf({ kind: "driver", id: trip.driverId }, partitions)
    : partitionOf({ kind: "rider", id: trip.riderIds[0] ?? "" }, partitions);
}
