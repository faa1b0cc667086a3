import { type BinaryReader, type BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** Bytes of the longest 32-bit varint. */
const MAX_VARINT_BYTES = 5;

/**
 * Writes packed columns of 32-bit numbers: `add…` for each element, then `end`. Several times faster than the wire
 * library, which checks each number and its room; here the caller vouches for integers and for the number of rows.
 */
export class ColumnWriter {
  readonly #writer: BinaryWriter;
  readonly #scratch: Uint8Array;
  #at = 0;

  /** @param rows elements of the longest column */
  constructor(writer: BinaryWriter, rows: number) {
    this.#writer = writer;
    this.#scratch = new Uint8Array(rows * MAX_VARINT_BYTES);
  }

  /** Adds a signed number; what does not fit in 32 bits wraps. */
  addSigned(value: number): void {
    this.addUnsigned((value << 1) ^ (value >> 31));
  }

  /** Adds an unsigned number; what does not fit in 32 bits wraps. */
  addUnsigned(value: number): void {
    const scratch = this.#scratch;
    let at = this.#at;
    let rest = value >>> 0;
    while (rest > 127) {
      scratch[at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    scratch[at++] = rest;
    this.#at = at;
  }

  /** Ends the column: writes what was added since the last end. */
  end(field: number): void {
    this.#writer.tag(field, WireType.LengthDelimited).bytes(this.#scratch.subarray(0, this.#at));
    this.#at = 0;
  }
}

/** Writes a packed column of signed 64-bit numbers. */
export function writeSigned64(writer: BinaryWriter, field: number, column: ArrayLike<number>): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  for (let i = 0; i < column.length; i++) writer.sint64(column[i]!);
  writer.join();
}

/** Reads a packed column with the given reader of one element. */
export function readPacked(reader: BinaryReader, readOne: () => number): number[] {
  const column: number[] = [];
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new RangeError("a column is longer than what holds it");
  while (reader.pos < end) column.push(readOne());
  if (reader.pos !== end) throw new RangeError("a column does not end where it says");
  return column;
}

/** Hundredths plus one, 0 for NaN. */
export function hundredths1(value: number): number {
  return Number.isNaN(value) ? 0 : Math.round(value * 100) + 1;
}

/** Inverse of {@link hundredths1}. */
export function fromHundredths1(value: number): number {
  return value === 0 ? Number.NaN : (value - 1) / 100;
}

/** A 64-bit integer as a number. Throws a RangeError beyond ±(2^53 − 1). */
export function toNumber(value: bigint | string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError("a 64-bit number is beyond 2^53");
  return number;
}
