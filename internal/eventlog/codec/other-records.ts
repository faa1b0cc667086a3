import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  DeviceStateChangedSchema,
  ErasedSchema,
  SessionOpenedSchema,
  TickSchema,
  TripChangeSchema,
  VehicleChangeSchema,
} from "../../../gen/bimride/log/v1/record_pb.ts";
import type { LogRecord } from "../record.ts";
import {
  fromDeviceStateMessage,
  fromPartyMessage,
  toDeviceStateMessage,
  toPartyMessage,
} from "./party-messages.ts";
import { fromTripChange, toTripChange } from "./trip-messages.ts";
import { toNumber } from "./wire.ts";

/** A record of any kind but FixBatch: rare, so the generated code is fast enough. */
export type OtherRecord = Exclude<LogRecord, { kind: "fixBatch" }>;

/** Field numbers in bimride.log.v1.Record. */
const FIELD_OF: Record<OtherRecord["kind"], number> = {
  sessionOpened: 2,
  deviceState: 3,
  tripChange: 4,
  vehicleChange: 5,
  erased: 7,
  tick: 8,
};

/** Writes the one field of a Record that holds it. */
export function writeOtherRecord(writer: BinaryWriter, record: OtherRecord): void {
  writer.tag(FIELD_OF[record.kind], WireType.LengthDelimited).bytes(toBytes(record));
}

function toBytes(record: OtherRecord): Uint8Array {
  const receivedAtMs = BigInt(Math.round(record.receivedAtMs));
  switch (record.kind) {
    case "sessionOpened":
      return toBinary(
        SessionOpenedSchema,
        create(SessionOpenedSchema, {
          party: toPartyMessage(record.party),
          sessionId: record.sessionId,
          sessionEpoch: BigInt(record.sessionEpoch),
          receivedAtMs,
          deviceId: record.deviceId,
          appVersion: record.appVersion,
          transport: record.transport,
          closed: record.closed,
          lost: record.lost,
        }),
      );
    case "deviceState":
      return toBinary(
        DeviceStateChangedSchema,
        create(DeviceStateChangedSchema, {
          party: toPartyMessage(record.party),
          sessionId: record.sessionId,
          sessionEpoch: BigInt(record.sessionEpoch),
          receivedAtMs,
          state: toDeviceStateMessage(record.state),
        }),
      );
    case "tripChange":
      return toBinary(TripChangeSchema, toTripChange(record));
    case "vehicleChange":
      return toBinary(
        VehicleChangeSchema,
        create(VehicleChangeSchema, {
          receivedAtMs,
          driverId: record.driverId,
          attributes: record.attributes,
        }),
      );
    case "erased":
      return toBinary(
        ErasedSchema,
        create(ErasedSchema, { receivedAtMs, party: toPartyMessage(record.party) }),
      );
    case "tick":
      return toBinary(TickSchema, create(TickSchema, { receivedAtMs }));
  }
}

/** The record of a field of Record, or undefined for a kind that this build does not know. Throws on damaged bytes. */
export function readOtherRecord(field: number, bytes: Uint8Array): OtherRecord | undefined {
  switch (field) {
    case FIELD_OF.sessionOpened: {
      const { party, sessionId, sessionEpoch, receivedAtMs, deviceId, appVersion, transport, closed, lost } =
        fromBinary(SessionOpenedSchema, bytes);
      return {
        kind: "sessionOpened",
        party: fromPartyMessage(party),
        sessionId,
        sessionEpoch: toNumber(sessionEpoch),
        receivedAtMs: toNumber(receivedAtMs),
        deviceId,
        appVersion,
        transport,
        closed,
        lost,
      };
    }
    case FIELD_OF.deviceState: {
      const { party, sessionId, sessionEpoch, receivedAtMs, state } = fromBinary(
        DeviceStateChangedSchema,
        bytes,
      );
      return {
        kind: "deviceState",
        party: fromPartyMessage(party),
        sessionId,
        sessionEpoch: toNumber(sessionEpoch),
        receivedAtMs: toNumber(receivedAtMs),
        state: fromDeviceStateMessage(state),
      };
    }
    case FIELD_OF.tripChange:
      return fromTripChange(fromBinary(TripChangeSchema, bytes));
    case FIELD_OF.vehicleChange: {
      const { receivedAtMs, driverId, attributes } = fromBinary(VehicleChangeSchema, bytes);
      return { kind: "vehicleChange", receivedAtMs: toNumber(receivedAtMs), driverId, attributes };
    }
    case FIELD_OF.erased: {
      const { receivedAtMs, party } = fromBinary(ErasedSchema, bytes);
      return { kind: "erased", receivedAtMs: toNumber(receivedAtMs), party: fromPartyMessage(party) };
    }
    case FIELD_OF.tick:
      return { kind: "tick", receivedAtMs: toNumber(fromBinary(TickSchema, bytes).receivedAtMs) };
    default:
      return undefined;
  }
}
