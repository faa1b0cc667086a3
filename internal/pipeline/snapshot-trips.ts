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
import { decodeEntry, encodeEntry } from "../eventlog/codec.ts";
import { differences, fieldsOf, int64, sums } from "./snapshot-columns.ts";
import { fromDeviceMessage, toDeviceMessage } from "./snapshot-parties.ts";
import { createPhaseState, type PhaseState } from "./stages/phase-state.ts";
import type { PartitionState, TripState } from "./state.ts";

export const PHASE_FIELDS = fieldsOf<PhaseState>(createPhaseState());

export function toTripMessage({ trip, live, phase }: TripState, state: PartitionState) {
  const driver: Party = { kind: "driver", id: trip.driverId };
  const ofParty =
    live.device !== undefined && live.device === state.parties.driver.get(trip.driverId)?.device;
  return {
    tripEntry: toTripEntry(trip),
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
  const trip = fromTripEntry(message.tripEntry);
  const status = TRIP_STATUSES[message.phaseStatus];
  if (!status) throw new RangeError("a phase of unknown status");
  const phase = createPhaseState();
  PHASE_FIELDS.fill(phase, fields, message.phase);
  phase.status = status;
  phase.tripId = message.phaseTripId;
  return {
    trip,
    fromMs: 0,
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

function toTripEntry(trip: Trip): Uint8Array {
  const record = { kind: "tripChange" as const, receivedAtMs: trip.updatedAtMs, trip };
  return encodeEntry({ region: trip.region, traceparent: "", records: [record] });
}

function fromTripEntry(entry: Uint8Array): Trip {
  const record = decodeEntry(entry).records[0];
  if (record?.kind !== "tripChange") throw new RangeError("no trip where one belongs");
  return record.trip;
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

function toLiveTrail(points: readonly TrailPoint[]) {
  return {
    firstAtMs: int64(points[0]?.capturedAtMs ?? 0),
    stepMs: points.map((point, i) => point.capturedAtMs - points[Math.max(0, i - 1)]!.capturedAtMs),
    latitudeE7: differences(points.map((point) => toE7(point.latDeg))),
    longitudeE7: differences(points.map((point) => toE7(point.lonDeg))),
  };
}

function fromLiveTrail(message: LiveTrail): TrailPoint[] {
  const [latE7, lonE7] = [sums(message.latitudeE7), sums(message.longitudeE7)];
  let capturedAtMs = Number(message.firstAtMs);
  return message.stepMs.map((step, i) => {
    capturedAtMs += step;
    return { latDeg: fromE7(latE7[i]!), lonDeg: fromE7(lonE7[i]!), capturedAtMs };
  });
}
