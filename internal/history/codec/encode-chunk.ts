import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { PARTY_KINDS } from "../../core/fix.ts";
import type { RecordedFix, TrackChunk } from "../history.ts";
import { ALTITUDE_UNKNOWN, FIELD, flagsOf, PUBLISHED, SCHEMA_VERSION } from "./chunk-fields.ts";
import { ColumnWriter, hundredths1, writeSigned64 } from "./columns.ts";

/**
 * The chunk as stored: 1e-7 degrees, 1 ms, 1 cm accuracy, 1 cm/s, 0.01 degrees of heading, 0.1 m of altitude. Throws a
 * RangeError for a fix whose corrected time lies more than 24 days from its receipt or its neighbour in the chunk.
 */
export function encodeChunk(chunk: TrackChunk): Uint8Array<ArrayBuffer> {
  const { fixes } = chunk;
  const writer = new BinaryWriter();
  writeHead(writer, chunk);
  if (fixes.length === 0) {
    writeSequence(writer, chunk);
    return writer.finish();
  }
  const columns = new ColumnWriter(writer, fixes.length);
  writeTimes(columns, chunk);
  writePlaces(columns, fixes);
  writeMotion(columns, fixes);
  writePublished(columns, fixes);
  writeRare(writer, fixes);
  writeSequence(writer, chunk);
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

function writeSequence(writer: BinaryWriter, { firstSequence }: TrackChunk): void {
  if (firstSequence) writer.tag(FIELD.firstSequence, WireType.Varint).uint64(firstSequence);
}

function writeTimes(columns: ColumnWriter, { fixes, firstAtMs, firstSeq }: TrackChunk): void {
  let previousSeq = firstSeq;
  for (const { seq } of fixes) {
    columns.addSigned(seq - previousSeq);
    previousSeq = seq;
  }
  columns.end(FIELD.seq);
  let previousAtMs = Math.round(firstAtMs);
  for (const fix of fixes) {
    const atMs = roundedAtMs(fix);
    columns.addSigned(inInt32(atMs - previousAtMs));
    previousAtMs = atMs;
  }
  columns.end(FIELD.atMs);
  for (const fix of fixes) columns.addSigned(inInt32(Math.round(fix.receivedAtMs) - roundedAtMs(fix)));
  columns.end(FIELD.ageMs);
}

function roundedAtMs(fix: RecordedFix): number {
  return Math.round(fix.capturedAtMs) + Math.round(fix.clockOffsetMs);
}

function inInt32(differenceMs: number): number {
  if ((differenceMs | 0) !== differenceMs) throw new RangeError("times of a chunk lie too far apart");
  return differenceMs;
}

function writePlaces(columns: ColumnWriter, fixes: readonly RecordedFix[]): void {
  let previousE7 = 0;
  for (const { latDeg } of fixes) {
    const latitudeE7 = Math.round(latDeg * 1e7);
    columns.addSigned(latitudeE7 - previousE7);
    previousE7 = latitudeE7;
  }
  columns.end(FIELD.latitudeE7);
  previousE7 = 0;
  for (const { lonDeg } of fixes) {
    const longitudeE7 = Math.round(lonDeg * 1e7);
    columns.addSigned(longitudeE7 - previousE7);
    previousE7 = longitudeE7;
  }
  columns.end(FIELD.longitudeE7);
}

function writeMotion(columns: ColumnWriter, fixes: readonly RecordedFix[]): void {
  let anyAltitude = false;
  let allFlags = 0;
  for (const { accuracyM } of fixes) columns.addUnsigned(hundredths1(accuracyM));
  columns.end(FIELD.accuracyCm1);
  for (const { speedMps } of fixes) columns.addUnsigned(hundredths1(speedMps));
  columns.end(FIELD.speedCmps1);
  for (const fix of fixes) {
    columns.addUnsigned(hundredths1(fix.headingDeg));
    if (!Number.isNaN(fix.altitudeM)) anyAltitude = true;
    allFlags |= columnFlags(fix);
  }
  columns.end(FIELD.headingCdeg1);
  if (anyAltitude) {
    for (const { altitudeM } of fixes)
      columns.addSigned(Number.isNaN(altitudeM) ? ALTITUDE_UNKNOWN : Math.round(altitudeM * 10));
    columns.end(FIELD.altitudeDm);
  }
  if (allFlags !== 0) {
    for (const fix of fixes) columns.addUnsigned(columnFlags(fix));
    columns.end(FIELD.flags);
  }
}

function isPublished(fix: RecordedFix): boolean {
  return !Number.isNaN(fix.publishedLatDeg) && !Number.isNaN(fix.publishedLonDeg);
}

function columnFlags(fix: RecordedFix): number {
  return flagsOf(fix) | (isPublished(fix) ? PUBLISHED : 0);
}

function writePublished(columns: ColumnWriter, fixes: readonly RecordedFix[]): void {
  if (fixes.some((fix) => publishedE7(fix, fix.publishedLatDeg, fix.latDeg) !== 0)) {
    for (const fix of fixes) columns.addSigned(publishedE7(fix, fix.publishedLatDeg, fix.latDeg));
    columns.end(FIELD.publishedLatitudeE7);
  }
  if (fixes.some((fix) => publishedE7(fix, fix.publishedLonDeg, fix.lonDeg) !== 0)) {
    for (const fix of fixes) columns.addSigned(publishedE7(fix, fix.publishedLonDeg, fix.lonDeg));
    columns.end(FIELD.publishedLongitudeE7);
  }
}

/** The published coordinate as difference to the raw one; 0 where nothing was published. */
function publishedE7(fix: RecordedFix, publishedDeg: number, rawDeg: number): number {
  return isPublished(fix) ? Math.round(publishedDeg * 1e7) - Math.round(rawDeg * 1e7) : 0;
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
