import type { LiveChange, LivePosition, TripLive } from "../core/live.ts";
import type { Trip, TripStatus } from "../core/trip.ts";
import type { Version } from "../core/version.ts";

/** For tests: a trip with the fewest words. */
export function tripOf(
  tripId: string,
  generation = 1,
  status: TripStatus = "ENROUTE_TO_PICKUP",
  endedAtMs = 0,
): Trip {
  const stop = { position: { latDeg: 57.7, lonDeg: 11.97 }, riderId: "", label: "" };
  return {
    tripId,
    region: "se1",
    type: "exclusive",
    version: generation,
    generation,
    status,
    statusSource: "explicit",
    statusAtMs: 0,
    waypointIndex: endedAtMs > 0 ? 2 : 0,
    riderIds: ["r1"],
    sharingRiderIds: [],
    driverId: "d1",
    waypoints: [
      { ...stop, kind: "pickup" },
      { ...stop, kind: "dropoff" },
    ],
    plannedPath: [],
    createdAtMs: 0,
    updatedAtMs: 0,
    assignments: [{ driverId: "d1", fromMs: 0, toMs: endedAtMs }],
    endedAtMs,
    cancelReason: "",
  };
}

/** For tests: a position captured at the time, its place told by the time too. */
export function positionAt(capturedAtMs: number): LivePosition {
  return {
    latDeg: 57 + capturedAtMs / 1e6,
    lonDeg: 11,
    headingDeg: 90,
    speedMps: 10,
    accuracyM: 5,
    capturedAtMs,
    receivedAtMs: capturedAtMs + 20,
    loggedAtMs: capturedAtMs + 21,
    processedAtMs: capturedAtMs + 22,
  };
}

/** For tests: makes the changes of one trip one after the other, each following the one before. */
export class ChangeMaker {
  readonly tripId: string;
  #version: Version = { generation: 1, sequence: 0, index: 0 };

  constructor(tripId: string) {
    this.tripId = tripId;
  }

  /** The first change of a generation, with the trip; it begins the generation after the present one when it runs. */
  begin(trip: Trip = tripOf(this.tripId)): LiveChange {
    this.#version = { generation: trip.generation, sequence: 0, index: 0 };
    return this.next({ trip });
  }

  /** The next change. */
  next(content: Partial<Pick<LiveChange, "position" | "latePoints" | "trip" | "device">>): LiveChange {
    const previous = this.#version;
    this.#version = { ...previous, sequence: previous.sequence + 1 };
    return { tripId: this.tripId, version: this.#version, previous, ...content };
  }

  /** The next change: a position. */
  move(capturedAtMs: number): LiveChange {
    return this.next({ position: positionAt(capturedAtMs) });
  }
}

/** For tests: a live state without a position at the version. */
export function liveAt(trip: Trip, version: Version): TripLive {
  return {
    tripId: trip.tripId,
    version,
    trip,
    position: undefined,
    trail: [],
    device: undefined,
    dropAtMs: 0,
  };
}
