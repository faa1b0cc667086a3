import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type FinalRun, FinalRunSchema, FinalTrackSchema } from "../../../gen/bimride/state/v1/chunk_pb.ts";
import { type PartyKind, PartySchema } from "../../../gen/bimride/tracking/v1/fix_pb.ts";
import { PARTY_KINDS } from "../../core/fix.ts";
import type { FinalPoint } from "../history.ts";
import { toNumber } from "./columns.ts";

const SCHEMA_VERSION = 1;

/** The final track as stored, bimride.state.v1.FinalTrack: 1e-7 degrees, 1 ms. Written once or a few times per trip. */
export function encodeFinalTrack(points: readonly FinalPoint[]): Uint8Array<ArrayBuffer> {
  const runs: FinalRun[] = [];
  for (let start = 0; start < points.length; ) {
    let end = start + 1;
    while (end < points.length && sameRun(points[start]!, points[end]!)) end++;
    runs.push(toRun(points.slice(start, end)));
    start = end;
  }
  return toBinary(FinalTrackSchema, create(FinalTrackSchema, { schemaVersion: SCHEMA_VERSION, runs }));
}

function sameRun(a: FinalPoint, b: FinalPoint): boolean {
  return a.party.kind === b.party.kind && a.party.id === b.party.id && a.sessionId === b.sessionId;
}

function toRun(points: readonly FinalPoint[]): FinalRun {
  const { party, sessionId } = points[0]!;
  const captured = points.map((point) => Math.round(point.capturedAtMs));
  const offsets = points.map((point) => Math.round(point.clockOffsetMs));
  return create(FinalRunSchema, {
    party: create(PartySchema, { kind: (PARTY_KINDS.indexOf(party.kind) + 1) as PartyKind, id: party.id }),
    sessionId,
    seq: points.map((point) => point.seq),
    capturedAtMs: differences(captured).map(BigInt),
    clockOffsetMs: differences(offsets).map(BigInt),
    ageMs: points.map((point, i) => BigInt(Math.round(point.receivedAtMs) - captured[i]! - offsets[i]!)),
    latitudeE7: differences(points.map((point) => Math.round(point.latDeg * 1e7))).map((value) => value | 0),
    longitudeE7: differences(points.map((point) => Math.round(point.lonDeg * 1e7))).map((value) => value | 0),
  });
}

function differences(values: readonly number[]): number[] {
  return values.map((value, i) => value - (i === 0 ? 0 : values[i - 1]!));
}

/** Inverse of {@link encodeFinalTrack}. Throws a RangeError or an Error of the wire library on anything else. */
export function decodeFinalTrack(bytes: Uint8Array): FinalPoint[] {
  const { schemaVersion, runs } = fromBinary(FinalTrackSchema, bytes);
  if (schemaVersion > SCHEMA_VERSION)
    throw new RangeError(
      `a final track of schema version ${schemaVersion}; this build reads up to ${SCHEMA_VERSION}`,
    );
  return runs.flatMap(fromRun);
}

function fromRun(run: FinalRun): FinalPoint[] {
  const kind = PARTY_KINDS[(run.party?.kind ?? 0) - 1];
  if (!run.party || !kind) throw new RangeError("a final track without a known party");
  const party = { kind, id: run.party.id };
  let capturedAtMs = 0;
  let clockOffsetMs = 0;
  let latitudeE7 = 0;
  let longitudeE7 = 0;
  return run.seq.map((seq, i) => {
    capturedAtMs += toNumber(run.capturedAtMs[i]!);
    clockOffsetMs += toNumber(run.clockOffsetMs[i]!);
    latitudeE7 = (latitudeE7 + run.latitudeE7[i]!) | 0;
    longitudeE7 = (longitudeE7 + run.longitudeE7[i]!) | 0;
    return {
      party,
      sessionId: run.sessionId,
      seq,
      capturedAtMs,
      clockOffsetMs,
      receivedAtMs: capturedAtMs + clockOffsetMs + toNumber(run.ageMs[i]!),
      latDeg: latitudeE7 / 1e7,
      lonDeg: longitudeE7 / 1e7,
    };
  });
}
