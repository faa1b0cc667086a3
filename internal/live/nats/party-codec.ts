import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BusPartyMessageSchema } from "../../../gen/bimride/state/v1/bus_pb.ts";
import type { PartyMessage } from "../bus.ts";

/** The bytes of a bimride.state.v1.BusPartyMessage. */
export function encodePartyMessage(message: PartyMessage): Uint8Array {
  return toBinary(BusPartyMessageSchema, create(BusPartyMessageSchema, { content: contentOf(message) }));
}

function contentOf(message: PartyMessage): MessageInitShape<typeof BusPartyMessageSchema>["content"] {
  switch (message.kind) {
    case "assignmentChanged": {
      const { tripId, tripVersion } = message;
      return { case: "assignmentChanged", value: { tripId, tripVersion: BigInt(tripVersion) } };
    }
    case "sessionOpened": {
      const { sessionId, sessionEpoch } = message;
      return { case: "sessionOpened", value: { sessionId, sessionEpoch: BigInt(sessionEpoch) } };
    }
    case "watched": {
      const { tripId, forMs, saidAtMs } = message;
      return { case: "watched", value: { tripId, forMs, saidAtMs: BigInt(saidAtMs) } };
    }
  }
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
  if (content.case === "watched") {
    const { tripId, forMs, saidAtMs } = content.value;
    return { partyKey, kind: "watched", tripId, forMs, saidAtMs: Number(saidAtMs) };
  }
  return undefined;
}
