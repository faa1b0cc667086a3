import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BusPartyMessageSchema } from "../../../gen/bimride/state/v1/bus_pb.ts";
import type { PartyMessage } from "../bus.ts";

/** The bytes of a bimride.state.v1.BusPartyMessage. */
export function encodePartyMessage(message: PartyMessage): Uint8Array {
  const content =
    message.kind === "assignmentChanged"
      ? {
          case: "assignmentChanged" as const,
          value: { tripId: message.tripId, tripVersion: BigInt(message.tripVersion) },
        }
      : {
          case: "sessionOpened" as const,
          value: { sessionId: message.sessionId, sessionEpoch: BigInt(message.sessionEpoch) },
        };
  return toBinary(BusPartyMessageSchema, create(BusPartyMessageSchema, { content }));
}

/** Inverse of {@link encodePartyMessage}; undefined for a kind that this build does not know. */
export function decodePartyMessage(partyKey: string, body: Uint8Array): PartyMessage | undefined {
  const { content } = fromBinary(BusPartyMessageSchema, body);
  if (content.case === "assignmentChanged") {
    const { tripId, tripVersion } = content.value;
    return { partyKey, kind: "assignmentChanged", tripId, tripVersion: Number(tripVersion) };
  }
  if (content.case === "sessionOpened") {
    const { sessionId, sessionEpoch } = content.value;
    return { partyKey, kind: "sessionOpened", sessionId, sessionEpoch: Number(sessionEpoch) };
  }
  return undefined;
}
