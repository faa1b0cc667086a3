import { type BinaryReader, type BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FIX_SOURCES, type Fix, type FixBatch, PARTY_KINDS, type Party } from "../../core/fix.ts";
import { readNested, toNumber } from "./wire.ts";

/**
 * bimride.log.v1.FixBatch by hand: the one message that every fix goes through. A test holds it equal to the generated
 * code, which takes several times as long because it goes through reflection and a second set of objects.
 */
const PARTY = 1;
const SESSION_ID = 2;
const SESSION_EPOCH = 3;
const RECEIVED_AT_MS = 4;
const CLOCK_OFFSET_MS = 5;
const SEQ = 6;
const AGE_MS = 7;
const LATITUDE_E7 = 8;
const LONGITUDE_E7 = 9;
const ACCURACY_CM1 = 10;
const SPEED_CMPS1 = 11;
const HEADING_CDEG1 = 12;
const ALTITUDE_DM = 13;
const FLAGS = 14;
/** Field numbers of bimride.tracking.v1.Party. */
const PARTY_KIND = 1;
const PARTY_ID = 2;

const ALTITUDE_UNKNOWN = -2_147_483_648;
const MOCK_BIT = 16;
const SOURCE_MASK = 15;

/** Writes the fields of the batch; the caller writes tag and length. */
export function writeFixBatch(writer: BinaryWriter, batch: FixBatch): void {
  const { fixes, party } = batch;
  const receivedAtMs = Math.round(batch.receivedAtMs);
  const clockOffsetMs = Math.round(batch.clockOffsetMs);
  writer.tag(PARTY, WireType.LengthDelimited).fork();
  writer.tag(PARTY_KIND, WireType.Varint).uint32(PARTY_KINDS.indexOf(party.kind) + 1);
  if (party.id) writer.tag(PARTY_ID, WireType.LengthDelimited).string(party.id);
  writer.join();
  if (batch.sessionId) writer.tag(SESSION_ID, WireType.LengthDelimited).string(batch.sessionId);
  if (batch.sessionEpoch) writer.tag(SESSION_EPOCH, WireType.Varint).uint64(batch.sessionEpoch);
  if (receivedAtMs) writer.tag(RECEIVED_AT_MS, WireType.Varint).int64(receivedAtMs);
  if (clockOffsetMs) writer.tag(CLOCK_OFFSET_MS, WireType.Varint).sint64(clockOffsetMs);
  if (fixes.length === 0) return;
  writer.tag(SEQ, WireType.LengthDelimited).fork();
  for (const fix of fixes) writer.uint32(fix.seq);
  writer.join().tag(AGE_MS, WireType.LengthDelimited).fork();
  for (const fix of fixes) writer.sint32(receivedAtMs - Math.round(fix.capturedAtMs) - clockOffsetMs);
  writer.join();
  writePosition(writer, fixes);
  writer.tag(ACCURACY_CM1, WireType.LengthDelimited).fork();
  for (const fix of fixes) writer.uint32(hundredths1(fix.accuracyM));
  writer.join().tag(SPEED_CMPS1, WireType.LengthDelimited).fork();
  for (const fix of fixes) writer.uint32(hundredths1(fix.speedMps));
  writer.join().tag(HEADING_CDEG1, WireType.LengthDelimited).fork();
  for (const fix of fixes) writer.uint32(hundredths1(fix.headingDeg));
  writer.join();
  writeRareColumns(writer, fixes);
}

/** Hundredths plus one, 0 for NaN. */
function hundredths1(value: number): number {
  return Number.isNaN(value) ? 0 : Math.round(value * 100) + 1;
}

function writePosition(writer: BinaryWriter, fixes: readonly Fix[]): void {
  // Differences wrap at 32 bits: from −180° to 180° the plain difference would not fit.
  let previous = 0;
  writer.tag(LATITUDE_E7, WireType.LengthDelimited).fork();
  for (const fix of fixes) {
    const latitudeE7 = Math.round(fix.latDeg * 1e7);
    writer.sint32((latitudeE7 - previous) | 0);
    previous = latitudeE7;
  }
  previous = 0;
  writer.join().tag(LONGITUDE_E7, WireType.LengthDelimited).fork();
  for (const fix of fixes) {
    const longitudeE7 = Math.round(fix.lonDeg * 1e7);
    writer.sint32((longitudeE7 - previous) | 0);
    previous = longitudeE7;
  }
  writer.join();
}

function writeRareColumns(writer: BinaryWriter, fixes: readonly Fix[]): void {
  if (fixes.some((fix) => !Number.isNaN(fix.altitudeM))) {
    writer.tag(ALTITUDE_DM, WireType.LengthDelimited).fork();
    for (const fix of fixes)
      writer.sint32(Number.isNaN(fix.altitudeM) ? ALTITUDE_UNKNOWN : Math.round(fix.altitudeM * 10));
    writer.join();
  }
  if (fixes.some((fix) => fix.mock || fix.source !== "unknown")) {
    writer.tag(FLAGS, WireType.LengthDelimited).fork();
    for (const fix of fixes) writer.uint32(FIX_SOURCES.indexOf(fix.source) | (fix.mock ? MOCK_BIT : 0));
    writer.join();
  }
}

type Columns = { [field: number]: number[] };

/** Reads the fields up to `end`. Throws a RangeError when a required part is missing or columns differ in length. */
export function readFixBatch(reader: BinaryReader, end: number): { kind: "fixBatch" } & FixBatch {
  let party: Party | undefined;
  let sessionId = "";
  let sessionEpoch = 0;
  let receivedAtMs = 0;
  let clockOffsetMs = 0;
  const columns: Columns = {};
  while (reader.pos < end) {
    const [field, wireType] = reader.tag();
    if (field >= SEQ && field <= FLAGS) {
      columns[field] ??= [];
      readColumn(reader, end, field, wireType, columns[field]);
    } else if (field === PARTY)
      readNested(reader, end, (partyEnd) => {
        party = readParty(reader, partyEnd);
      });
    else if (field === SESSION_ID) sessionId = reader.string();
    else if (field === SESSION_EPOCH) sessionEpoch = toNumber(reader.uint64());
    else if (field === RECEIVED_AT_MS) receivedAtMs = toNumber(reader.int64());
    else if (field === CLOCK_OFFSET_MS) clockOffsetMs = toNumber(reader.sint64());
    else reader.skip(wireType, field);
  }
  if (!party) throw new RangeError("a batch of fixes without a party");
  const fixes = toFixes(columns, receivedAtMs - clockOffsetMs);
  return { kind: "fixBatch", party, sessionId, sessionEpoch, receivedAtMs, clockOffsetMs, fixes };
}

function readParty(reader: BinaryReader, end: number): Party {
  let kind: Party["kind"] | undefined;
  let id = "";
  while (reader.pos < end) {
    const [field, wireType] = reader.tag();
    if (field === PARTY_KIND) kind = PARTY_KINDS[reader.int32() - 1];
    else if (field === PARTY_ID) id = reader.string();
    else reader.skip(wireType, field);
  }
  if (!kind) throw new RangeError("a party of unknown kind");
  return { kind, id };
}

function readColumn(
  reader: BinaryReader,
  end: number,
  field: number,
  wireType: WireType,
  into: number[],
): void {
  const signed = (field >= AGE_MS && field <= LONGITUDE_E7) || field === ALTITUDE_DM;
  if (wireType !== WireType.LengthDelimited) {
    into.push(signed ? reader.sint32() : reader.uint32());
    return;
  }
  readNested(reader, end, (columnEnd) => {
    if (signed) while (reader.pos < columnEnd) into.push(reader.sint32());
    else while (reader.pos < columnEnd) into.push(reader.uint32());
  });
}

function toFixes(columns: Columns, receivedOnDeviceMs: number): Fix[] {
  const seq = columns[SEQ] ?? [];
  const count = seq.length;
  const required = (field: number) => sized(columns[field] ?? [], count);
  const age = required(AGE_MS);
  const latitude = required(LATITUDE_E7);
  const longitude = required(LONGITUDE_E7);
  const accuracy = required(ACCURACY_CM1);
  const speed = required(SPEED_CMPS1);
  const heading = required(HEADING_CDEG1);
  const altitude = columns[ALTITUDE_DM] && sized(columns[ALTITUDE_DM], count);
  const flags = columns[FLAGS] && sized(columns[FLAGS], count);
  const fixes = new Array<Fix>(count);
  let latitudeE7 = 0;
  let longitudeE7 = 0;
  for (let i = 0; i < count; i++) {
    latitudeE7 = (latitudeE7 + latitude[i]!) | 0;
    longitudeE7 = (longitudeE7 + longitude[i]!) | 0;
    const altitudeDm = altitude ? altitude[i]! : ALTITUDE_UNKNOWN;
    const flag = flags ? flags[i]! : 0;
    fixes[i] = {
      seq: seq[i]!,
      capturedAtMs: receivedOnDeviceMs - age[i]!,
      latDeg: latitudeE7 / 1e7,
      lonDeg: longitudeE7 / 1e7,
      accuracyM: fromHundredths1(accuracy[i]!),
      speedMps: fromHundredths1(speed[i]!),
      headingDeg: fromHundredths1(heading[i]!),
      altitudeM: altitudeDm === ALTITUDE_UNKNOWN ? Number.NaN : altitudeDm / 10,
      source: FIX_SOURCES[flag & SOURCE_MASK] ?? "unknown",
      mock: (flag & MOCK_BIT) !== 0,
    };
  }
  return fixes;
}

function fromHundredths1(value: number): number {
  return value === 0 ? Number.NaN : (value - 1) / 100;
}

function sized(column: number[], count: number): number[] {
  if (column.length !== count) throw new RangeError("the columns of a batch differ in length");
  return column;
}
