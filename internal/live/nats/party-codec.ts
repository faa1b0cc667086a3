import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  BusPartyMessageSchema,
  type BusPresentSession,
  type BusPresentSessionSchema,
} from "../../../gen/bimride/state/v1/bus_pb.ts";
import type { PartyMessage, PresentSession } from "../bus.ts";

const STANDINGS = ["movesMarker", "behind", "contested"] as const;

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
    case "rollCall": {
      const { user, askId } = message;
      return { case: message.kind, value: { user, askId } };
    }
    case "present": {
      const { nodeId, sessions } = message;
      return { case: message.kind, value: { nodeId, sessions: sessions.map(toPresentMessage) } };
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
    case "rollCall": {
      const { user, askId } = content.value;
      return { partyKey, kind: content.case, user, askId };
    }
    case "present": {
      const { nodeId, sessions } = content.value;
      return { partyKey, kind: content.case, nodeId, sessions: sessions.map(fromPresentMessage) };
    }
    case undefined:
      return undefined;
  }
}

function toPresentMessage({
  kind,
  sessionEpoch,
  ...same
}: PresentSession): MessageInitShape<typeof BusPresentSessionSchema> {
  return { ...same, publishing: kind === "publishing", sessionEpoch: BigInt(sessionEpoch) };
}

function fromPresentMessage(message: BusPresentSession): PresentSession {
  const { $typeName: _type, $unknown: _unknown, publishing, standing, sessionEpoch, ...same } = message;
  return {
    ...same,
    kind: publishing ? "publishing" : "watching",
    // What a newer node says is not known here.
    standing: STANDINGS.find((known) => known === standing) ?? "",
    sessionEpoch: Number(sessionEpoch),
  };
}
