import { crc32 } from "node:zlib";

/**
 * A record of the spool on the disk, little-endian: magic, length of the body (u32), partition (u32), position (f64),
 * time of writing (f64, ms since 1970), CRC-32 of the body, CRC-32 of all before it, then the body. The header has a
 * checksum of its own, so that a body that rotted is stepped over and what follows is read all the same. The last
 * checksum begins with the segment's salt: records of another segment that lie about in a body are not taken for ones
 * of this segment.
 */
export const HEADER_BYTES = 36;
/** Not valid UTF-8, so that no text of a client contains it. The last byte is the layout's version. */
const MAGIC = Buffer.from([0xff, 0xfe, 0x42, 0x01]);
/** Far beyond maxEntryBytes; a greater length is a damaged header. */
const MAX_BODY_BYTES = 64 << 20;

/** @property position rises by one per record of a spool, over restarts too */
export type RecordHead = {
  partition: number;
  position: number;
  writtenAtMs: number;
  bodyBytes: number;
  bodyCrc: number;
};

/** Bytes that a body takes in a segment. */
export function recordBytes(bodyBytes: number): number {
  return HEADER_BYTES + bodyBytes;
}

/** Writes the record at the offset; the buffer must have room for {@link recordBytes}. */
export function writeRecord(
  into: Buffer,
  offset: number,
  salt: number,
  record: { partition: number; position: number; writtenAtMs: number; body: Uint8Array },
): void {
  into.set(MAGIC, offset);
  into.writeUInt32LE(record.body.byteLength, offset + 4);
  into.writeUInt32LE(record.partition, offset + 8);
  into.writeDoubleLE(record.position, offset + 12);
  into.writeDoubleLE(record.writtenAtMs, offset + 20);
  into.writeUInt32LE(crc32(record.body), offset + 28);
  into.writeUInt32LE(headCrc(into, offset, salt), offset + 32);
  into.set(record.body, offset + HEADER_BYTES);
}

/** The header at the offset, or undefined when there is none that checks. The buffer must hold HEADER_BYTES there. */
export function readHead(from: Buffer, offset: number, salt: number): RecordHead | undefined {
  if (from.compare(MAGIC, 0, MAGIC.length, offset, offset + MAGIC.length) !== 0) return undefined;
  if (from.readUInt32LE(offset + 32) !== headCrc(from, offset, salt)) return undefined;
  const bodyBytes = from.readUInt32LE(offset + 4);
  if (bodyBytes > MAX_BODY_BYTES) return undefined;
  return {
    bodyBytes,
    partition: from.readUInt32LE(offset + 8),
    position: from.readDoubleLE(offset + 12),
    writtenAtMs: from.readDoubleLE(offset + 20),
    bodyCrc: from.readUInt32LE(offset + 28),
  };
}

/** True when the body is the one that was written. */
export function bodyChecks(head: RecordHead, body: Uint8Array): boolean {
  return crc32(body) === head.bodyCrc;
}

/** Where the next header may begin at or after the offset, or -1. */
export function findMagic(from: Buffer, offset: number): number {
  return from.indexOf(MAGIC, offset);
}

/** Bytes of a magic; a search that found nothing must look at the last of these but one again. */
export const MAGIC_BYTES = MAGIC.length;

function headCrc(from: Buffer, offset: number, salt: number): number {
  return crc32(from.subarray(offset, offset + 32), salt);
}
