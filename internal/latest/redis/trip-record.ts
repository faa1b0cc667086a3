import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type TripState, TripStateSchema } from "../../../gen/bimride/state/v1/state_pb.ts";
import type { Party } from "../../core/fix.ts";
import type { DeviceStatus, TripLive } from "../../core/live.ts";
import type { PackedLive } from "../../core/packed-live.ts";
import type { Trip } from "../../core/trip.ts";
import { decodeEntry, encodeEntry } from "../../eventlog/codec.ts";
import {
  fromLiveTrail,
  fromPlaceMessage,
  toLiveTrail,
  toPlaceMessage,
} from "../../pipeline/live-messages.ts";

/** The live state as bytes (TripState of state.proto) without the trip itself, which changes seldom and may be long. */
export function encodeLive({ live, trail }: PackedLive): Buffer {
  const { position, device } = live;
  const message = create(TripStateSchema, {
    generation: live.version.generation,
    sequence: BigInt(live.version.sequence),
    index: live.version.index,
    position: position && toPlaceMessage(position),
    trail: toLiveTrail(trail),
    device: device && encodeDevice(live.trip.driverId, device),
    dropAtMs: BigInt(Math.round(live.dropAtMs)),
  });
  return bufferOf(toBinary(TripStateSchema, message));
}

/** The trip as in the log: an entry with one TripChange record. */
export function encodeTrip(trip: Trip): Buffer {
  const record = { kind: "tripChange" as const, receivedAtMs: trip.updatedAtMs, trip };
  return bufferOf(encodeEntry({ region: trip.region, traceparent: "", records: [record] }));
}

/** Inverse of {@link encodeLive} and {@link encodeTrip}. */
export function decodeTripLive(liveBytes: Uint8Array, tripBytes: Uint8Array): TripLive {
  const message = fromBinary(TripStateSchema, liveBytes);
  const record = decodeEntry(tripBytes).records[0];
  if (record?.kind !== "tripChange") throw new RangeError("no trip where one belongs");
  return {
    tripId: record.trip.tripId,
    version: {
      generation: message.generation,
      sequence: Number(message.sequence),
      index: message.index,
    },
    trip: record.trip,
    position: message.position && fromPlaceMessage(message.position),
    trail: message.trail ? fromLiveTrail(message.trail) : [],
    device: message.device && decodeDevice(message.device),
    dropAtMs: Number(message.dropAtMs),
  };
}

/** A device's state as the log has it, so that there is one mapping of its fields. */
function encodeDevice(driverId: string, { state, connected, atMs }: DeviceStatus) {
  const party: Party = { kind: "driver", id: driverId };
  const record = {
    kind: "deviceState" as const,
    party,
    sessionId: "",
    sessionEpoch: 0,
    receivedAtMs: atMs,
    state,
  };
  return { recordEntry: encodeEntry({ region: "", traceparent: "", records: [record] }), connected };
}

function decodeDevice({ recordEntry, connected }: NonNullable<TripState["device"]>): DeviceStatus {
  const record = decodeEntry(recordEntry).records[0];
  if (record?.kind !== "deviceState") throw new RangeError("no device state where one belongs");
  return { state: record.state, connected, atMs: record.receivedAtMs };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
