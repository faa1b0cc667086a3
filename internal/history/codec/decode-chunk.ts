import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { FIX_SOURCES, PARTY_KINDS, type Party } from "../../core/fix.ts";
import type { RecordedFix, TrackChunk } from "../history.ts";
import {
  ALTITUDE_UNKNOWN,
  FIELD,
  LATE,
  MOCK,
  OUTLIER,
  PUBLISHED,
  SCHEMA_VERSION,
  SOURCE_MASK,
  SUPERSEDED,
} from "./chunk-fields.ts";
import { fromHundredths1, readPacked, toNumber } from "./columns.ts";

type Head = Omit<TrackChunk, "fixes"> & { sessionEpoch: number; clockOffsetMs: number };

/** Inverse of {@link encodeChunk}. Throws a RangeError or an Error of the wire library on anything else. */
export function decodeChunk(bytes: Uint8Array): TrackChunk {
  const reader = new BinaryReader(bytes);
  const columns: Columns = {};
  const head: Omit<Head, "party"> & { party: Party | undefined } = {
    party: undefined,
    sessionId: "",
    firstAtMs: 0,
    firstSeq: 0,
    firstSequence: 0,
    minAtMs: 0,
    maxAtMs: 0,
    sessionEpoch: 0,
    clockOffsetMs: 0,
  };
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === FIELD.schemaVersion) checkVersion(reader.uint32());
    else if (field === FIELD.party) head.party = readParty(reader.bytes());
    else if (field === FIELD.sessionId) head.sessionId = reader.string();
    else if (field === FIELD.firstAtMs) head.firstAtMs = toNumber(reader.int64());
    else if (field === FIELD.firstSeq) head.firstSeq = reader.uint32();
    else if (field === FIELD.firstSequence) head.firstSequence = toNumber(reader.uint64());
    else if (field === FIELD.minAtMs) head.minAtMs = toNumber(reader.int64());
    else if (field === FIELD.maxAtMs) head.maxAtMs = toNumber(reader.int64());
    else if (field === FIELD.sessionEpoch) head.sessionEpoch = toNumber(reader.uint64());
    else if (field === FIELD.clockOffsetMs) head.clockOffsetMs = toNumber(reader.sint64());
    else if (field <= FIELD.clockOffsetDifferenceMs && wireType === WireType.LengthDelimited)
      columns[field] = readColumn(reader, field);
    else reader.skip(wireType, field);
  }
  const { party, sessionEpoch, clockOffsetMs, ...rest } = head;
  if (!party) throw new RangeError("a chunk without a party");
  const fixes = toFixes({ ...rest, party, sessionEpoch, clockOffsetMs }, columns);
  return { ...rest, party, fixes };
}

function checkVersion(version: number): void {
  if (version > SCHEMA_VERSION)
    throw new RangeError(`a chunk of schema version ${version}; this build reads up to ${SCHEMA_VERSION}`);
}

function readParty(bytes: Uint8Array): Party {
  const reader = new BinaryReader(bytes);
  let kind: Party["kind"] | undefined;
  let id = "";
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) kind = PARTY_KINDS[reader.int32() - 1];
    else if (field === 2) id = reader.string();
    else reader.skip(wireType, field);
  }
  if (!kind) throw new RangeError("a party of unknown kind");
  return { kind, id };
}

function readColumn(reader: BinaryReader, field: number): number[] {
  if (field >= FIELD.sessionEpochDifference) return readPacked(reader, () => toNumber(reader.sint64()));
  if ((field >= FIELD.accuracyCm1 && field <= FIELD.headingCdeg1) || field === FIELD.flags)
    return readPacked(reader, () => reader.uint32());
  return readPacked(reader, () => reader.sint32());
}

/** Columns with their defaults filled in, so that every fix finds its element. */
type Columns = { [field: number]: number[] };

function filled(columns: Columns): Columns {
  const count = columns[FIELD.seq]?.length ?? 0;
  const full: Columns = {};
  for (let field: number = FIELD.seq; field <= FIELD.clockOffsetDifferenceMs; field++) {
    const missing = field === FIELD.altitudeDm ? ALTITUDE_UNKNOWN : 0;
    const column = columns[field] ?? new Array<number>(count).fill(missing);
    if (column.length !== count) throw new RangeError("the columns of a chunk differ in length");
    full[field] = column;
  }
  return full;
}

function toFixes(head: Head, read: Columns): RecordedFix[] {
  const columns = filled(read);
  const seqs = columns[FIELD.seq]!;
  const ats = columns[FIELD.atMs]!;
  const latitudes = columns[FIELD.latitudeE7]!;
  const longitudes = columns[FIELD.longitudeE7]!;
  const fixes = new Array<RecordedFix>(seqs.length);
  let seq = head.firstSeq;
  let atMs = head.firstAtMs;
  let latitudeE7 = 0;
  let longitudeE7 = 0;
  for (let i = 0; i < fixes.length; i++) {
    seq = (seq + seqs[i]!) >>> 0;
    atMs += ats[i]!;
    latitudeE7 = (latitudeE7 + latitudes[i]!) | 0;
    longitudeE7 = (longitudeE7 + longitudes[i]!) | 0;
    fixes[i] = toFix(head, columns, i, seq, atMs, latitudeE7, longitudeE7);
  }
  return fixes;
}

function toFix(
  head: Head,
  columns: Columns,
  i: number,
  seq: number,
  atMs: number,
  latitudeE7: number,
  longitudeE7: number,
): RecordedFix {
  const flag = columns[FIELD.flags]![i]!;
  const published = (flag & PUBLISHED) !== 0;
  const altitudeDm = columns[FIELD.altitudeDm]![i]!;
  const clockOffsetMs = head.clockOffsetMs + columns[FIELD.clockOffsetDifferenceMs]![i]!;
  return {
    seq,
    capturedAtMs: atMs - clockOffsetMs,
    latDeg: latitudeE7 / 1e7,
    lonDeg: longitudeE7 / 1e7,
    accuracyM: fromHundredths1(columns[FIELD.accuracyCm1]![i]!),
    speedMps: fromHundredths1(columns[FIELD.speedCmps1]![i]!),
    headingDeg: fromHundredths1(columns[FIELD.headingCdeg1]![i]!),
    altitudeM: altitudeDm === ALTITUDE_UNKNOWN ? Number.NaN : altitudeDm / 10,
    source: FIX_SOURCES[flag & SOURCE_MASK] ?? "unknown",
    mock: (flag & MOCK) !== 0,
    sessionId: head.sessionId,
    sessionEpoch: head.sessionEpoch + columns[FIELD.sessionEpochDifference]![i]!,
    clockOffsetMs,
    receivedAtMs: atMs + columns[FIELD.ageMs]![i]!,
    publishedLatDeg: published
      ? ((latitudeE7 + columns[FIELD.publishedLatitudeE7]![i]!) | 0) / 1e7
      : Number.NaN,
    publishedLonDeg: published
      ? ((longitudeE7 + columns[FIELD.publishedLongitudeE7]![i]!) | 0) / 1e7
      : Number.NaN,
    late: (flag & LATE) !== 0,
    outlier: (flag & OUTLIER) !== 0,
    superseded: (flag & SUPERSEDED) !== 0,
  };
}
