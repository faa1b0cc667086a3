import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type DeviceStatus as DeviceStatusMessage,
  type LatestPlace,
  type PartyState as PartyStateMessage,
  type PartyStateSchema,
  type PlaceTrail,
  PlaceTrailSchema,
} from "../../gen/bimride/state/v1/state_pb.ts";
import type { PartyKind } from "../../gen/bimride/tracking/v1/fix_pb.ts";
import { PARTY_KINDS, type Party, partyKey } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { DeviceStatus } from "../core/live.ts";
import { SeqIntervals } from "../core/seq-intervals.ts";
import { decodeEntry, encodeEntry } from "../eventlog/codec.ts";
import type { LatestParty } from "../latest/latest.ts";
import { differences, fieldsOf, int64, sums } from "./snapshot-columns.ts";
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
      seen: [...session.seen.borders],
      nextSeq: int64(session.highSeq + 1),
      behind: session.behind,
      shiftMs: int64(session.shiftMs),
    })),
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
  return {
    party,
    key: partyKey(party),
    sessions: message.sessions.map(
      (session): SessionState => ({
        sessionId: session.sessionId,
        epoch: Number(session.epoch),
        seen: new SeqIntervals(limits.maxDedupeIntervals, session.seen),
        highSeq: Number(session.nextSeq) - 1,
        behind: session.behind,
        shiftMs: Number(session.shiftMs),
      }),
    ),
    lastAtMs: Number(message.lastAtMs),
    lastSeenMs: Number(message.lastSeenMs),
    position,
    device: message.device && fromDeviceMessage(message.device),
    latest: message.latest && fromLatestMessage(partyKey(party), message.latest),
    trip: undefined,
  };
}

/** A device's state as the log has it, so that there is one mapping of its fields. */
export function toDeviceMessage(party: Party, { state, connected, atMs }: DeviceStatus) {
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

/** Inverse of {@link toDeviceMessage}. */
export function fromDeviceMessage({ recordEntry, connected }: DeviceStatusMessage): DeviceStatus {
  const record = decodeEntry(recordEntry).records[0];
  if (record?.kind !== "deviceState") throw new RangeError("no device state where one belongs");
  return { state: record.state, connected, atMs: record.receivedAtMs };
}

/** What {@link placeOnTrail} may still look at, oldest first. */
function toTrailMessage(trail: PositionTrail): PlaceTrail {
  const slots: number[] = [];
  for (let back = 0; back < trail.count; back++) {
    const slot = slotBack(trail, back);
    slots.unshift(slot);
    if (trail.newestMs - trailTimeMs(trail, slot) > TRAIL_SPAN_MS) break;
  }
  const column = (n: number) => slots.map((slot) => trail.numbers[slot * PLACE_NUMBERS + n]!);
  const times = slots.map((slot) => trailTimeMs(trail, slot));
  return create(PlaceTrailSchema, {
    firstAtMs: int64(times[0] ?? 0),
    stepMs: times.map((tMs, i) => tMs - times[Math.max(0, i - 1)]!),
    latitudeE7: differences(column(1)),
    longitudeE7: differences(column(2)),
    velocities: column(3),
    sigmas: column(4),
  });
}

function fillTrail(trail: PositionTrail, message: PlaceTrail): void {
  const count = message.stepMs.length;
  if (count > TRAIL_CAPACITY) throw new RangeError("a trail that is too long");
  const [latE7, lonE7] = [sums(message.latitudeE7), sums(message.longitudeE7)];
  let sinceMs = 0;
  for (let slot = 0; slot < count; slot++) {
    sinceMs += message.stepMs[slot]!;
    const place = [sinceMs, latE7[slot]!, lonE7[slot]!, message.velocities[slot]!, message.sigmas[slot]!];
    trail.numbers.set(place, slot * PLACE_NUMBERS);
  }
  trail.baseMs = Number(message.firstAtMs);
  trail.newestMs = trail.baseMs + sinceMs;
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
