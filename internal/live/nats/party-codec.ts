import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BusPartyMessageSchema } from "../../../gen/bimride/state/v1/bus_pb.ts";
import type { PartyMessage } from "../bus.ts";

type Content = MessageInitShape<typeof BusPartyMessageSchema>["content"];

/** The bytes of a bimride.state.v1.BusPartyMessage. */
export function encodePartyMessage(message: PartyMessage): Uint8Array {
  return toBinary(
    BusPartyMessageSchema,
    create(BusPartyMessageSchema, { content: contentOf(message) as NonNullable<Content> }),
  );
}

function contentOf(message: PartyMessage): Content {
  switch (message.kind) {
    case "assignmentChanged": {
      const { tripId, tripVersion } = message;
      return { case: message.kind, value: { tripId, tripVersion: BigInt(tripVersion) } };
    }
    case "sessionOpened": {
      const { sessionId, sessionEpoch } = message;
      return { case: message.kind, value: { sessionId, sessionEpoch: BigInt(sessionEpoch) } };
    }
    case "watched": {
      const { tripId, forMs, saidAtMs } = message;
      return { case: message.kind, value: { tripId, forMs, saidAtMs: BigInt(saidAtMs) } };
    }
    case "markerTold": {
      const { sessionId, sessionEpoch, takeOversMs } = message;
      return {
        case: message.kind,
        value: { sessionId, sessionEpoch: BigInt(sessionEpoch), takeOversMs: [...takeOversMs] },
      };
    }
  }
}

/** Inverse of {@link encodePartyMessage}; undefined for a kind that this build does not know. */
export function decodePartyMessage(partyKey: string, body: Uint8Array): PartyMessage | undefined {
  const { content } = fromBinary(BusPartyMessageSchema, body);
  switch (content.case) {
    case "assignmentChanged": {
      const { tripId, tripVersion } = content.value;
      return { partyKey, kind: content.case, tripId, tripVersion: Number(tripVersion) };
    }
    case "sessionOpened": {
      const { sessionId, sessionEpoch } = content.value;
      return { partyKey, kind: content.case, sessionId, sessionEpoch: Number(sessionEpoch) };
    }
    case "watched": {
      const { tripId, forMs, saidAtMs } = content.value;
      return { partyKey, kind: content.case, tripId, forMs, saidAtMs: Number(saidAtMs) };
    }
    case "markerTold": {
      const { sessionId, sessionEpoch, takeOversMs } = content.value;
      return { partyKey, kind: content.case, sessionId, sessionEpoch: Number(sessionEpoch), takeOversMs };
    }
    case undefined:
      return undefined;
  }
}
