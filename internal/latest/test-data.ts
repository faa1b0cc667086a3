import type { TripLive } from "../core/live.ts";
import { packLive } from "../core/packed-live.ts";
import type { Trip } from "../core/trip.ts";
import type { LatestFlush, LatestParty } from "./latest.ts";

export const TRIP = "se1-00000000000000000000000000";

/** A car of the contract's tests. */
export function car(id: string, fields: Partial<LatestParty> = {}): LatestParty {
  return {
    partyKey: `driver/${id}`,
    sessionEpoch: 1,
    seq: 1,
    latDeg: 57.7,
    lonDeg: 11.97,
    headingDeg: Number.NaN,
    speedMps: 3,
    capturedAtMs: 1_000,
    receivedAtMs: 1_100,
    tripId: "",
    ...fields,
  };
}

/** A trip's live state of the contract's tests. */
export function live(sequence: number, fields: Partial<TripLive> = {}): TripLive {
  const trip: Trip = {
    tripId: TRIP,
    region: "se1",
    type: "exclusive",
    version: 1,
    generation: 1,
    status: "NEW",
    statusSource: "explicit",
    statusAtMs: 0,
    waypointIndex: 0,
    riderIds: ["r1"],
    sharingRiderIds: ["r1"],
    driverId: "d1",
    waypoints: [],
    plannedPath: [],
    createdAtMs: 0,
    updatedAtMs: 0,
    assignments: [],
    endedAtMs: 0,
    cancelReason: "",
  };
  const version = { generation: 1, sequence, index: 0 };
  return {
    tripId: TRIP,
    version,
    trip,
    position: undefined,
    trail: [],
    device: undefined,
    dropAtMs: 0,
    ...fields,
  };
}

/** Coordinates are whole in 1e-7 degrees, the resolution of what viewers are shown. */
export const FULL_LIVE = live(7, {
  trip: {
    ...live(7).trip,
    version: 2,
    status: "ENROUTE_TO_PICKUP",
    riderIds: ["r1", "r2"],
    waypoints: [{ kind: "pickup", position: { latDeg: 57.7, lonDeg: 11.97 }, riderId: "r1", label: "Ö, 1" }],
    plannedPath: [
      { latDeg: 57.7, lonDeg: 11.97 },
      { latDeg: 57.71, lonDeg: 11.98 },
    ],
    assignments: [{ driverId: "d1", fromMs: 5, toMs: 0 }],
  },
  position: {
    ...{ latDeg: 57.7012345, lonDeg: -0.0000001, headingDeg: Number.NaN, speedMps: 3.5, accuracyM: 4.25 },
    ...{ capturedAtMs: 1_000, receivedAtMs: 1_100, loggedAtMs: 1_101, processedAtMs: 1_102 },
  },
  trail: [
    { latDeg: 57.7, lonDeg: 179.9999999, capturedAtMs: 500 },
    { latDeg: -57.7012345, lonDeg: -180, capturedAtMs: 1_000 },
  ],
  device: {
    state: { batteryPercent: 55, network: "wifi", gpsEnabled: false },
    connected: true,
    lost: false,
    mockFix: true,
    atMs: 900,
  },
});

type FlushFields = Partial<Omit<LatestFlush, "trips"> & { trips: TripLive[] }>;

/** A flush of the contract's tests. */
export function flush({ trips = [], ...fields }: FlushFields): LatestFlush {
  const whole = { partition: 3, partitionEpoch: 10, parties: [], removed: [], ...fields };
  return { ...whole, trips: trips.map(packLive) };
}
