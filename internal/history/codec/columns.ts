import { type BinaryReader, type BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** Writes a packed column of signed numbers. */
export function writeSigned(writer: BinaryWriter, field: number, column: ArrayLike<number>): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  for (let i = 0; i < column.length; i++) writer.sint32(column[i]!);
  writer.join();
}

/** Writes a packed column of unsigned numbers. */
export function writeUnsigned(writer: BinaryWriter, field: number, column: ArrayLike<number>): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  for (let i = 0; i < column.length; i++) writer.uint32(column[i]!);
  writer.join();
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
