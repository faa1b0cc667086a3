import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { BimrideError } from "../core/errors.ts";
import { readFixBatch, writeFixBatch } from "./codec/fix-batch.ts";
import { readOtherRecord, writeOtherRecord } from "./codec/other-records.ts";
import { readNested } from "./codec/wire.ts";
import type { EntryContent, LogRecord } from "./record.ts";

/** The format that {@link encodeEntry} writes, and the newest that {@link decodeEntry} reads. */
export const ENTRY_SCHEMA_VERSION = 1;

/** Field numbers of bimride.log.v1.Entry. */
const SCHEMA_VERSION = 1;
const REGION = 2;
const TRACEPARENT = 3;
const RECORDS = 4;
/** Field number of bimride.log.v1.Record.fix_batch; the other kinds follow it. */
const FIX_BATCH = 1;

/**
 * The body of one log entry, a bimride.log.v1.Entry. Resolutions: 1e-7 degrees, 1 ms, 1 cm accuracy, 1 cm/s,
 * 0.01 degrees of heading, 0.1 m of altitude. What the record format can't hold (a fix more than 24 days older than its
 * receipt, a sequence number beyond 32 bits) throws a RangeError or an Error of the wire library: the gateway refuses
 * such fixes before they come here.
 */
export const encodeEntry: (content: EntryContent) => Uint8Array = encoder(writeEntry);

function writeEntry(writer: BinaryWriter, content: EntryContent): void {
  writer.tag(SCHEMA_VERSION, WireType.Varint).uint32(ENTRY_SCHEMA_VERSION);
  if (content.region) writer.tag(REGION, WireType.LengthDelimited).string(content.region);
  if (content.traceparent) writer.tag(TRACEPARENT, WireType.LengthDelimited).string(content.traceparent);
  for (const record of content.records) {
    writer.tag(RECORDS, WireType.LengthDelimited).fork();
    if (record.kind === "fixBatch") {
      writer.tag(FIX_BATCH, WireType.LengthDelimited).fork();
      writeFixBatch(writer, record);
      writer.join();
    } else {
      writeOtherRecord(writer, record);
    }
    writer.join();
  }
}

/**
 * Encodes with one writer for all: a new one for each message would allocate its room several times over, thousands of
 * times a second. The bytes are the caller's own.
 */
export function encoder<Message>(
  write: (writer: BinaryWriter, message: Message) => void,
): (message: Message) => Uint8Array {
  let writer = new BinaryWriter();
  return (message) => {
    try {
      write(writer, message);
      return writer.finish();
    } catch (error) {
      // It holds the beginning of what could not be written.
      writer = new BinaryWriter();
      throw error;
    }
  };
}

/**
 * Inverse of {@link encodeEntry}. Record kinds and fields that this build does not know are skipped.
 * Throws MESSAGE_INVALID for a body that is not an entry, and for one of a newer schema version, which must not be
 * half understood.
 */
export function decodeEntry(body: Uint8Array): EntryContent {
  try {
    return readEntry(new BinaryReader(body));
  } catch (error) {
    if (error instanceof BimrideError) throw error;
    throw new BimrideError("MESSAGE_INVALID", "The log entry is damaged.", { cause: error });
  }
}

function readEntry(reader: BinaryReader): EntryContent {
  const content: EntryContent = { region: "", traceparent: "", records: [] };
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === RECORDS && wireType === WireType.LengthDelimited)
      readNested(reader, reader.len, (end) => readRecord(reader, end, content.records));
    else if (field === SCHEMA_VERSION) checkVersion(reader.uint32());
    else if (field === REGION) content.region = reader.string();
    else if (field === TRACEPARENT) content.traceparent = reader.string();
    else reader.skip(wireType, field);
  }
  return content;
}

function checkVersion(version: number): void {
  if (version <= ENTRY_SCHEMA_VERSION) return;
  throw new BimrideError(
    "MESSAGE_INVALID",
    `The log entry has schema version ${version}, this build reads up to ${ENTRY_SCHEMA_VERSION}: update it.`,
    { field: "schema_version" },
  );
}

function readRecord(reader: BinaryReader, end: number, into: LogRecord[]): void {
  let record: LogRecord | undefined;
  while (reader.pos < end) {
    const [field, wireType] = reader.tag();
    if (wireType !== WireType.LengthDelimited) reader.skip(wireType, field);
    else if (field === FIX_BATCH)
      readNested(reader, end, (batchEnd) => {
        record = readFixBatch(reader, batchEnd);
      });
    else record = readOtherRecord(field, reader.bytes()) ?? record;
  }
  if (record) into.push(record);
}
