import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  RiderShare as RiderShareMessage,
  RiderShareSchema,
  TripState as TripStateMessage,
  TripStateSchema,
} from "../../gen/bimride/state/v1/state_pb.ts";
import type { Party } from "../core/fix.ts";
import type { DeviceStatus } from "../core/live.ts";
import { Trail } from "../core/trail.ts";
import { TRIP_STATUSES, type Trip } from "../core/trip.ts";
import {
  fromDeviceMessage,
  fromLiveTrail,
  fromPlaceMessage,
  toDeviceMessage,
  toLiveTrail,
  toPlaceMessage,
} from "./live-messages.ts";
import { fieldsOf, int64 } from "./snapshot-columns.ts";
import { createPhaseState, type PhaseState } from "./stages/phase-state.ts";
import type { PartitionState, RiderShare, TripState } from "./state.ts";
import { tripEntryOf, tripOfEntry } from "./trip-entry.ts";

export const PHASE_FIELDS = fieldsOf<PhaseState>(createPhaseState());

export function toTripMessage({ trip, live, trail, phase }: TripState, state: PartitionState) {
  const driver: Party = { kind: "driver", id: trip.driverId };
  const ofParty =
    live.device !== undefined && live.device === state.parties.driver.get(trip.driverId)?.device;
  return {
    tripEntry: tripEntryOf(trip, state.tripEntries),
    generation: live.version.generation,
    sequence: int64(live.version.sequence),
    index: live.version.index,
    position: live.position && toPlaceMessage(live.position),
    trail: toLiveTrail(trail),
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
    trail: Trail.of(message.trail ? fromLiveTrail(message.trail) : []),
    live: {
      tripId: trip.tripId,
      version: { generation: message.generation, sequence: Number(message.sequence), index: message.index },
      trip,
      position: message.position && fromPlaceMessage(message.position),
      device: deviceOf(message, trip, state),
      dropAtMs: Number(message.dropAtMs),
    },
  };
}

export function toShareMessage({ riderId, trip, shown }: RiderShare, { tripEntries }: PartitionState) {
  return { riderId, tripEntry: tripEntryOf(trip, tripEntries), shown } satisfies MessageInitShape<
    typeof RiderShareSchema
  >;
}

/** Inverse of {@link toShareMessage}. */
export function fromShareMessage({ riderId, tripEntry, shown }: RiderShareMessage): RiderShare {
  return { riderId, trip: tripOfEntry(tripEntry), shown };
}

/** The same object as in the party's state where it was: what is new to viewers is told by that. */
function deviceOf(message: TripStateMessage, trip: Trip, state: PartitionState): DeviceStatus | undefined {
  if (message.deviceOfParty) return state.parties.driver.get(trip.driverId)?.device;
  return message.device && fromDeviceMessage(message.device);
}
