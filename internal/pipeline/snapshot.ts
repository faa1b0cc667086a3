import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type PartitionSnapshot, PartitionSnapshotSchema } from "../../gen/bimride/state/v1/state_pb.ts";
import { BimrideError } from "../core/errors.ts";
import { DEFAULT_LIMITS, type Limits } from "../core/limits.ts";
import { addShare, allShares } from "./shares.ts";
import { int64 } from "./snapshot-columns.ts";
import { fromPartyMessage, POSITION_FIELDS, toPartyMessage } from "./snapshot-parties.ts";
import {
  fromShareMessage,
  fromTripMessage,
  PHASE_FIELDS,
  toShareMessage,
  toTripMessage,
} from "./snapshot-trips.ts";
import { createPartitionState, type PartitionState, partiesOf } from "./state.ts";
import { assign } from "./trip-of-driver.ts";

/** The format that {@link encodeState} writes. {@link decodeState} reads it and the one before, which has no shares and no markers. */
export const STATE_FORMAT = 2;
const OLDEST_FORMAT = 1;

/** A partition's state as bytes (bimride.state.v1.PartitionSnapshot). Going on from it gives the same result as without. */
export function encodeState(state: PartitionState): Uint8Array {
  return toBinary(
    PartitionSnapshotSchema,
    create(PartitionSnapshotSchema, {
      format: STATE_FORMAT,
      partition: state.partition,
      cursor: int64(state.cursor),
      pipelineTimeMs: int64(state.pipelineTimeMs),
      sweptAtMs: int64(state.sweptAtMs),
      positionFields: POSITION_FIELDS.names,
      phaseFields: PHASE_FIELDS.names,
      parties: Array.from(partiesOf(state), toPartyMessage),
      trips: Array.from(state.trips.values(), (trip) => toTripMessage(trip, state)),
      shares: Array.from(allShares(state), (share) => toShareMessage(share, state)),
      erased: Array.from(state.erased, ([partyKey, atMs]) => ({ partyKey, erasedAtMs: int64(atMs) })),
    }),
  );
}

/**
 * Inverse of {@link encodeState}. Throws MESSAGE_INVALID for bytes that are no snapshot or one of a format that this
 * build does not read: the state is then built from the log.
 */
export function decodeState(bytes: Uint8Array, limits: Limits = DEFAULT_LIMITS): PartitionState {
  try {
    return restore(fromBinary(PartitionSnapshotSchema, bytes), limits);
  } catch (error) {
    if (error instanceof BimrideError) throw error;
    throw new BimrideError("MESSAGE_INVALID", "The snapshot of the pipeline is damaged.", { cause: error });
  }
}

function restore(message: PartitionSnapshot, limits: Limits): PartitionState {
  if (message.format < OLDEST_FORMAT || message.format > STATE_FORMAT) {
    throw new BimrideError(
      "MESSAGE_INVALID",
      `The snapshot has format ${message.format}, this build reads ${OLDEST_FORMAT} to ${STATE_FORMAT}.`,
      { field: "format" },
    );
  }
  const state = createPartitionState(message.partition);
  state.cursor = Number(message.cursor);
  state.pipelineTimeMs = Number(message.pipelineTimeMs);
  state.sweptAtMs = Number(message.sweptAtMs);
  for (const part of message.parties) {
    const party = fromPartyMessage(part, message.positionFields, limits);
    state.parties[party.party.kind].set(party.party.id, party);
  }
  for (const part of message.trips) {
    const trip = fromTripMessage(part, message.phaseFields, state);
    state.trips.set(trip.trip.tripId, trip);
    assign(state, trip);
  }
  for (const part of message.shares) addShare(state, fromShareMessage(part));
  for (const { partyKey, erasedAtMs } of message.erased) state.erased.set(partyKey, Number(erasedAtMs));
  return state;
}
