import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FIX_SOURCES, PARTY_KINDS } from "../../core/fix.ts";
import type { RecordedFix, TrackChunk } from "../history.ts";
import {
  ALTITUDE_UNKNOWN,
  FIELD,
  LATE,
  MOCK,
  OUTLIER,
  PUBLISHED,
  SCHEMA_VERSION,
  SUPERSEDED,
} from "./chunk-fields.ts";
import { hundredths1, writeSigned, writeSigned64, writeUnsigned } from "./columns.ts";

/**
 * The chunk as stored: 1e-7 degrees, 1 ms, 1 cm accuracy, 1 cm/s, 0.01 degrees of heading, 0.1 m of altitude. A fix
 * whose corrected time lies more than 24 days from its receipt or from its neighbour in the chunk throws an Error.
 */
export function encodeChunk(chunk: TrackChunk): Uint8Array<ArrayBuffer> {
  const { fixes } = chunk;
  const writer = new BinaryWriter();
  writeHead(writer, chunk);
  if (fixes.length === 0) return writer.finish();
  writeTimes(writer, chunk);
  writePlaces(writer, fixes);
  writeUnsigned(
    writer,
    FIELD.accuracyCm1,
    fixes.map((fix) => hundredths1(fix.accuracyM)),
  );
  writeUnsigned(
    writer,
    FIELD.speedCmps1,
    fixes.map((fix) => hundredths1(fix.speedMps)),
  );
  writeUnsigned(
    writer,
    FIELD.headingCdeg1,
    fixes.map((fix) => hundredths1(fix.headingDeg)),
  );
  if (fixes.some((fix) => !Number.isNaN(fix.altitudeM)))
    writeSigned(
      writer,
      FIELD.altitudeDm,
      fixes.map((fix) => (Number.isNaN(fix.altitudeM) ? ALTITUDE_UNKNOWN : Math.round(fix.altitudeM * 10))),
    );
  const flags = fixes.map(flagsOf);
  if (flags.some((flag) => flag !== 0)) writeUnsigned(writer, FIELD.flags, flags);
  writePublished(writer, fixes);
  writeRare(writer, fixes);
  return writer.finish();
}

function writeHead(writer: BinaryWriter, chunk: TrackChunk): void {
  const first = chunk.fixes[0];
  writer.tag(FIELD.schemaVersion, WireType.Varint).uint32(SCHEMA_VERSION);
  writer.tag(FIELD.party, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.Varint).uint32(PARTY_KINDS.indexOf(chunk.party.kind) + 1);
  if (chunk.party.id) writer.tag(2, WireType.LengthDelimited).string(chunk.party.id);
  writer.join();
  if (chunk.sessionId) writer.tag(FIELD.sessionId, WireType.LengthDelimited).string(chunk.sessionId);
  if (chunk.firstAtMs) writer.tag(FIELD.firstAtMs, WireType.Varint).int64(Math.round(chunk.firstAtMs));
  if (chunk.firstSeq) writer.tag(FIELD.firstSeq, WireType.Varint).uint32(chunk.firstSeq);
  if (chunk.minAtMs) writer.tag(FIELD.minAtMs, WireType.Varint).int64(Math.round(chunk.minAtMs));
  if (chunk.maxAtMs) writer.tag(FIELD.maxAtMs, WireType.Varint).int64(Math.round(chunk.maxAtMs));
  if (first?.sessionEpoch) writer.tag(FIELD.sessionEpoch, WireType.Varint).uint64(first.sessionEpoch);
  const clockOffsetMs = Math.round(first?.clockOffsetMs ?? 0);
  if (clockOffsetMs) writer.tag(FIELD.clockOffsetMs, WireType.Varint).sint64(clockOffsetMs);
}

function writeTimes(writer: BinaryWriter, { fixes, firstAtMs, firstSeq }: TrackChunk): void {
  const seq = new Int32Array(fixes.length);
  const at = new Array<number>(fixes.length);
  const age = new Array<number>(fixes.length);
  let previousSeq = firstSeq;
  let previousAtMs = Math.round(firstAtMs);
  for (let i = 0; i < fixes.length; i++) {
    const fix = fixes[i]!;
    const atMs = Math.round(fix.capturedAtMs) + Math.round(fix.clockOffsetMs);
    seq[i] = fix.seq - previousSeq;
    at[i] = atMs - previousAtMs;
    age[i] = Math.round(fix.receivedAtMs) - atMs;
    previousSeq = fix.seq;
    previousAtMs = atMs;
  }
  writeSigned(writer, FIELD.seq, seq);
  writeSigned(writer, FIELD.atMs, at);
  writeSigned(writer, FIELD.ageMs, age);
}

function writePlaces(writer: BinaryWriter, fixes: readonly RecordedFix[]): void {
  // Int32Array wraps what does not fit.
  const latitude = new Int32Array(fixes.length);
  const longitude = new Int32Array(fixes.length);
  let previousLatitude = 0;
  let previousLongitude = 0;
  for (let i = 0; i < fixes.length; i++) {
    const latitudeE7 = Math.round(fixes[i]!.latDeg * 1e7);
    const longitudeE7 = Math.round(fixes[i]!.lonDeg * 1e7);
    latitude[i] = latitudeE7 - previousLatitude;
    longitude[i] = longitudeE7 - previousLongitude;
    previousLatitude = latitudeE7;
    previousLongitude = longitudeE7;
  }
  writeSigned(writer, FIELD.latitudeE7, latitude);
  writeSigned(writer, FIELD.longitudeE7, longitude);
}

function isPublished(fix: RecordedFix): boolean {
  return !Number.isNaN(fix.publishedLatDeg) && !Number.isNaN(fix.publishedLonDeg);
}

function flagsOf(fix: RecordedFix): number {
  return (
    FIX_SOURCES.indexOf(fix.source) |
    (fix.mock ? MOCK : 0) |
    (fix.late ? LATE : 0) |
    (fix.outlier ? OUTLIER : 0) |
    (fix.superseded ? SUPERSEDED : 0) |
    (isPublished(fix) ? PUBLISHED : 0)
  );
}

function writePublished(writer: BinaryWriter, fixes: readonly RecordedFix[]): void {
  const latitude = new Int32Array(fixes.length);
  const longitude = new Int32Array(fixes.length);
  for (let i = 0; i < fixes.length; i++) {
    const fix = fixes[i]!;
    if (!isPublished(fix)) continue;
    latitude[i] = Math.round(fix.publishedLatDeg * 1e7) - Math.round(fix.latDeg * 1e7);
    longitude[i] = Math.round(fix.publishedLonDeg * 1e7) - Math.round(fix.lonDeg * 1e7);
  }
  if (latitude.some((value) => value !== 0)) writeSigned(writer, FIELD.publishedLatitudeE7, latitude);
  if (longitude.some((value) => value !== 0)) writeSigned(writer, FIELD.publishedLongitudeE7, longitude);
}

function writeRare(writer: BinaryWriter, fixes: readonly RecordedFix[]): void {
  const first = fixes[0]!;
  const offsetMs = Math.round(first.clockOffsetMs);
  if (fixes.some((fix) => fix.sessionEpoch !== first.sessionEpoch))
    writeSigned64(
      writer,
      FIELD.sessionEpochDifference,
      fixes.map((fix) => fix.sessionEpoch - first.sessionEpoch),
    );
  if (fixes.some((fix) => Math.round(fix.clockOffsetMs) !== offsetMs))
    writeSigned64(
      writer,
      FIELD.clockOffsetDifferenceMs,
      fixes.map((fix) => Math.round(fix.clockOffsetMs) - offsetMs),
    );
}
