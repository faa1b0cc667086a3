import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  LivePlace,
  LiveTrail,
  TripState as TripStateMessage,
  TripStateSchema,
} from "../../gen/bimride/state/v1/state_pb.ts";
import type { Party } from "../core/fix.ts";
import { fromE7, toE7 } from "../core/geo.ts";
import type { DeviceStatus, LivePosition, TrailPoint } from "../core/live.ts";
import { TRIP_STATUSES, type Trip } from "../core/trip.ts";
import { bytesOf, fieldsOf, int32sOf, int64 } from "./snapshot-columns.ts";
import { fromDeviceMessage, toDeviceMessage } from "./snapshot-parties.ts";
import { createPhaseState, type PhaseState } from "./stages/phase-state.ts";
import type { PartitionState, TripState } from "./state.ts";
import { tripEntryOf, tripOfEntry } from "./trip-entry.ts";

export const PHASE_FIELDS = fieldsOf<PhaseState>(createPhaseState());

export function toTripMessage({ trip, live, phase }: TripState, state: PartitionState) {
  const driver: Party = { kind: "driver", id: trip.driverId };
  const ofParty =
    live.device !== undefined && live.device === state.parties.driver.get(trip.driverId)?.device;
  return {
    tripEntry: tripEntryOf(trip, state.tripEntries),
    generation: live.version.generation,
    sequence: int64(live.version.sequence),
    index: live.version.index,
    position: live.position && toPlaceMessage(live.position),
    trail: toLiveTrail(live.trail),
    device: live.device && !ofParty ? toDeviceMessage(driver, live.device) : undefined,
    deviceOfParty: ofParty,
    dropAtMs: int64(live.dropAtMs),
    phase: PHASE_FIELDS.values(phase),
    phaseStatus: TRIP_STATUSES.indexOf(phase.status),
    phaseTripId: phase.tripId,
  } satisfies MessageInitShape<typeof TripStateSchema>;
}

/** Inverse of {@link toTripMessage}; the parties must be there already. */
export function fromTripMessage(
  message: TripStateMessage,
  fields: readonly string[],
  state: PartitionState,
): TripState {
  const trip = tripOfEntry(message.tripEntry);
  const status = TRIP_STATUSES[message.phaseStatus];
  if (!status) throw new RangeError("a phase of unknown status");
  const phase = createPhaseState();
  PHASE_FIELDS.fill(phase, fields, message.phase);
  phase.status = status;
  phase.tripId = message.phaseTripId;
  return {
    trip,
    fromMs: 0,
    phaseOf: undefined,
    hasPhases: false,
    phase,
    live: {
      tripId: trip.tripId,
      version: { generation: message.generation, sequence: Number(message.sequence), index: message.index },
      trip,
      position: message.position && fromPlaceMessage(message.position),
      trail: message.trail ? fromLiveTrail(message.trail) : [],
      device: deviceOf(message, trip, state),
      dropAtMs: Number(message.dropAtMs),
    },
  };
}

/** The same object as in the party's state where it was: what is new to viewers is told by that. */
function deviceOf(message: TripStateMessage, trip: Trip, state: PartitionState): DeviceStatus | undefined {
  if (message.deviceOfParty) return state.parties.driver.get(trip.driverId)?.device;
  return message.device && fromDeviceMessage(message.device);
}

function toPlaceMessage(position: LivePosition) {
  return {
    ...position,
    capturedAtMs: int64(position.capturedAtMs),
    receivedAtMs: int64(position.receivedAtMs),
    loggedAtMs: int64(position.loggedAtMs),
    processedAtMs: int64(position.processedAtMs),
  };
}

function fromPlaceMessage(message: LivePlace): LivePosition {
  return {
    latDeg: message.latDeg,
    lonDeg: message.lonDeg,
    headingDeg: message.headingDeg,
    speedMps: message.speedMps,
    accuracyM: message.accuracyM,
    capturedAtMs: Number(message.capturedAtMs),
    receivedAtMs: Number(message.receivedAtMs),
    loggedAtMs: Number(message.loggedAtMs),
    processedAtMs: Number(message.processedAtMs),
  };
}

/** Numbers per point: step of time, latitude, longitude. */
const POINT_NUMBERS = 3;

function toLiveTrail(points: readonly TrailPoint[]) {
  const firstAtMs = points[0]?.capturedAtMs ?? 0;
  const numbers = new Int32Array(points.length * POINT_NUMBERS);
  let before = firstAtMs;
  for (let i = 0; i < points.length; i++) {
    const { capturedAtMs, latDeg, lonDeg } = points[i]!;
    numbers[i * POINT_NUMBERS] = capturedAtMs - before;
    numbers[i * POINT_NUMBERS + 1] = toE7(latDeg);
    numbers[i * POINT_NUMBERS + 2] = toE7(lonDeg);
    before = capturedAtMs;
  }
  return { firstAtMs: int64(firstAtMs), points: bytesOf(numbers) };
}

function fromLiveTrail(message: LiveTrail): TrailPoint[] {
  const numbers = int32sOf(message.points);
  let capturedAtMs = Number(message.firstAtMs);
  return Array.from({ length: numbers.length / POINT_NUMBERS }, (_, i) => {
    capturedAtMs += numbers[i * POINT_NUMBERS]!;
    const [latE7, lonE7] = [numbers[i * POINT_NUMBERS + 1]!, numbers[i * POINT_NUMBERS + 2]!];
    return { latDeg: fromE7(latE7), lonDeg: fromE7(lonE7), capturedAtMs };
  });
}
