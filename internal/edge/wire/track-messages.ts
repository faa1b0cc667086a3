import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { FixSource, LatLngSchema, PartyKind } from "../../../gen/bimride/tracking/v1/fix_pb.ts";
import * as pb from "../../../gen/bimride/tracking/v1/history_pb.ts";
import { TripStatus } from "../../../gen/bimride/tracking/v1/trip_pb.ts";
import type { Party } from "../../core/fix.ts";
import type { FinalPoint, PhaseSpan, RecordedFix, TripFinal } from "../../history/history.ts";
import { SOURCE_TO_WIRE } from "./trip-messages.ts";

const FIX_SOURCE_TO_WIRE = {
  unknown: FixSource.UNSPECIFIED,
  gnss: FixSource.GNSS,
  fused: FixSource.FUSED,
  network: FixSource.NETWORK,
} as const;

/** A fix as the device sent it, with what was published for it. */
export function recordedPoint(party: Party, fix: RecordedFix): pb.TrackPoint {
  const point = create(pb.TrackPointSchema, {
    ...identity(party, fix),
    position: { latitudeDeg: fix.latDeg, longitudeDeg: fix.lonDeg },
    source: FIX_SOURCE_TO_WIRE[fix.source],
    mock: fix.mock,
    late: fix.late,
    outlier: fix.outlier,
    superseded: fix.superseded,
  });
  if (!Number.isNaN(fix.accuracyM)) point.accuracyM = fix.accuracyM;
  if (!Number.isNaN(fix.speedMps)) point.speedMps = fix.speedMps;
  if (!Number.isNaN(fix.headingDeg)) point.headingDeg = fix.headingDeg;
  if (!Number.isNaN(fix.altitudeM)) point.altitudeM = fix.altitudeM;
  if (!Number.isNaN(fix.publishedLatDeg)) {
    point.published = create(LatLngSchema, {
      latitudeDeg: fix.publishedLatDeg,
      longitudeDeg: fix.publishedLonDeg,
    });
  }
  return point;
}

/** A point of the settled track. */
export function finalPoint(point: FinalPoint): pb.TrackPoint {
  return create(pb.TrackPointSchema, {
    ...identity(point.party, point),
    position: { latitudeDeg: point.latDeg, longitudeDeg: point.lonDeg },
  });
}

export function summaryMessage(final: Omit<TripFinal, "tripId" | "track">): pb.TripSummary {
  return create(pb.TripSummarySchema, {
    distanceM: final.distanceM,
    approachM: final.approachM,
    phases: final.phases.map(phaseMessage),
    settledAtMs: BigInt(Math.round(final.settledAtMs)),
    revision: final.revision,
  });
}

export function phaseMessage(phase: PhaseSpan): MessageInitShape<typeof pb.PhaseSpanSchema> {
  return {
    status: TripStatus[phase.status],
    fromMs: BigInt(Math.round(phase.fromMs)),
    toMs: BigInt(Math.round(phase.toMs)),
    source: SOURCE_TO_WIRE[phase.source],
  };
}

function identity(
  party: Party,
  fix: Pick<RecordedFix, "sessionId" | "seq" | "capturedAtMs" | "clockOffsetMs" | "receivedAtMs">,
) {
  return {
    party: { kind: party.kind === "driver" ? PartyKind.DRIVER : PartyKind.RIDER, id: party.id },
    sessionId: fix.sessionId,
    seq: fix.seq,
    capturedAtMs: BigInt(Math.round(fix.capturedAtMs)),
    clockOffsetMs: BigInt(Math.round(fix.clockOffsetMs)),
    receivedAtMs: BigInt(Math.round(fix.receivedAtMs)),
  };
}
