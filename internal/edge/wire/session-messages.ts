import { create } from "@bufbuild/protobuf";
import {
  type Session,
  SessionKind,
  SessionSchema,
  SessionStanding,
} from "../../../gen/bimride/tracking/v1/sessions_pb.ts";
import type { PresentSession } from "../../live/bus.ts";

const KIND: Record<PresentSession["kind"], SessionKind> = {
  publishing: SessionKind.PUBLISHING,
  watching: SessionKind.WATCHING,
};
const STANDING: Record<PresentSession["standing"], SessionStanding> = {
  "": SessionStanding.UNSPECIFIED,
  movesMarker: SessionStanding.MOVES_MARKER,
  behind: SessionStanding.BEHIND,
  contested: SessionStanding.CONTESTED,
};

/** @param user role and subject; the message has the id alone */
export function sessionMessage(
  sessionId: string,
  user: string,
  present: PresentSession,
  current: boolean,
): Session {
  const { deviceId, appVersion, transport } = present;
  return create(SessionSchema, {
    ...{ sessionId, deviceId, appVersion, transport, current },
    userId: user.slice(user.indexOf("/") + 1),
    kind: KIND[present.kind],
    openedAtMs: BigInt(Math.round(present.openedAtMs)),
    lastHeardAtMs: BigInt(Math.round(present.lastHeardAtMs)),
    standing: STANDING[present.standing],
    sessionEpoch: BigInt(present.sessionEpoch),
  });
}
