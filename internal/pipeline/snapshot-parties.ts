import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type LatestPlace,
  type PartyState as PartyStateMessage,
  type PartyStateSchema,
  type PlaceTrail,
  PlaceTrailSchema,
} from "../../gen/bimride/state/v1/state_pb.ts";
import type { PartyKind } from "../../gen/bimride/tracking/v1/fix_pb.ts";
import { PARTY_KINDS, type Party, partyKey } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import { SeqIntervals } from "../core/seq-intervals.ts";
import type { LatestParty } from "../latest/latest.ts";
import { fromDeviceMessage, toDeviceMessage } from "./live-messages.ts";
import { bytesOf, fieldsOf, int32sOf, int64 } from "./snapshot-columns.ts";
import { createPositionState, type PositionState } from "./stages/position-state.ts";
import {
  PLACE_NUMBERS,
  type PositionTrail,
  slotBack,
  TRAIL_CAPACITY,
  TRAIL_SPAN_MS,
  trailTimeMs,
} from "./stages/position-trail.ts";
import type { PartyState, SessionState } from "./state.ts";

export const POSITION_FIELDS = fieldsOf<PositionState>(createPositionState());

export function toPartyMessage(state: PartyState): MessageInitShape<typeof PartyStateSchema> {
  return {
    party: { kind: (PARTY_KINDS.indexOf(state.party.kind) + 1) as PartyKind, id: state.party.id },
    sessions: state.sessions.map((session) => ({
      sessionId: session.sessionId,
      epoch: int64(session.epoch),
      closed: session.closed,
      seen: [...session.seen.borders],
      nextSeq: int64(session.highSeq + 1),
      behind: session.behind,
      shiftMs: int64(session.shiftMs),
    })),
    markerSessionId: state.marker?.sessionId ?? "",
    takeOversMs: state.takeOvers.map(int64),
    lastAtMs: int64(state.lastAtMs),
    lastSeenMs: int64(state.lastSeenMs),
    position: POSITION_FIELDS.values(state.position),
    trail: toTrailMessage(state.position.trail),
    device: state.device && toDeviceMessage(state.party, state.device),
    latest: state.latest && toLatestMessage(state.latest),
  };
}

/** Inverse of {@link toPartyMessage}. */
export function fromPartyMessage(
  message: PartyStateMessage,
  fields: readonly string[],
  limits: Limits,
): PartyState {
  const kind = PARTY_KINDS[(message.party?.kind ?? 0) - 1];
  if (!message.party || !kind) throw new RangeError("a party of unknown kind");
  const party: Party = { kind, id: message.party.id };
  const position = createPositionState();
  POSITION_FIELDS.fill(position, fields, message.position);
  if (message.trail) fillTrail(position.trail, message.trail);
  const sessions = message.sessions.map(
    (session): SessionState => ({
      sessionId: session.sessionId,
      epoch: Number(session.epoch),
      closed: session.closed,
      seen: new SeqIntervals(limits.maxDedupeIntervals, session.seen),
      highSeq: Number(session.nextSeq) - 1,
      behind: session.behind,
      shiftMs: Number(session.shiftMs),
    }),
  );
  return {
    party,
    key: partyKey(party),
    sessions,
    marker: markerOf(message, sessions),
    takeOvers: message.takeOversMs.map(Number),
    lastAtMs: Number(message.lastAtMs),
    lastSeenMs: Number(message.lastSeenMs),
    position,
    device: message.device && fromDeviceMessage(message.device),
    latest: message.latest && fromLatestMessage(partyKey(party), message.latest),
    trip: undefined,
  };
}

/** Where nothing is said the newest session moved the marker, however often that changed. */
function markerOf(
  { markerSessionId }: PartyStateMessage,
  sessions: readonly SessionState[],
): SessionState | undefined {
  return markerSessionId === ""
    ? sessions.at(-1)
    : sessions.find(({ sessionId }) => sessionId === markerSessionId);
}

/** What {@link placeOnTrail} may still look at, oldest first, with the times anew from the oldest. */
function toTrailMessage(trail: PositionTrail): PlaceTrail {
  let used = 0;
  while (used < trail.count) {
    used++;
    if (trail.newestMs - trailTimeMs(trail, slotBack(trail, used - 1)) > TRAIL_SPAN_MS) break;
  }
  const numbers = new Int32Array(used * PLACE_NUMBERS);
  const firstAtMs = used > 0 ? trailTimeMs(trail, slotBack(trail, used - 1)) : 0;
  for (let i = 0; i < used; i++) {
    const slot = slotBack(trail, used - 1 - i);
    const at = i * PLACE_NUMBERS;
    for (let n = 1; n < PLACE_NUMBERS; n++) numbers[at + n] = trail.numbers[slot * PLACE_NUMBERS + n]!;
    numbers[at] = trailTimeMs(trail, slot) - firstAtMs;
  }
  return create(PlaceTrailSchema, { firstAtMs: int64(firstAtMs), places: bytesOf(numbers) });
}

function fillTrail(trail: PositionTrail, message: PlaceTrail): void {
  const numbers = int32sOf(message.places);
  const count = numbers.length / PLACE_NUMBERS;
  if (!Number.isInteger(count) || count > TRAIL_CAPACITY) throw new RangeError("a trail of a wrong length");
  trail.numbers.set(numbers);
  trail.baseMs = Number(message.firstAtMs);
  trail.newestMs = count > 0 ? trail.baseMs + numbers[(count - 1) * PLACE_NUMBERS]! : trail.baseMs;
  trail.count = count;
  trail.next = count % TRAIL_CAPACITY;
}

function toLatestMessage(latest: LatestParty) {
  const { partyKey: _, ...place } = latest;
  return {
    ...place,
    sessionEpoch: int64(latest.sessionEpoch),
    capturedAtMs: int64(latest.capturedAtMs),
    receivedAtMs: int64(latest.receivedAtMs),
  };
}

function fromLatestMessage(key: string, message: LatestPlace): LatestParty {
  return {
    partyKey: key,
    sessionEpoch: Number(message.sessionEpoch),
    seq: message.seq,
    latDeg: message.latDeg,
    lonDeg: message.lonDeg,
    headingDeg: message.headingDeg,
    speedMps: message.speedMps,
    capturedAtMs: Number(message.capturedAtMs),
    receivedAtMs: Number(message.receivedAtMs),
    tripId: message.tripId,
  };
}
