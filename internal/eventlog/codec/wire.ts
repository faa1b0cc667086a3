import type { BinaryReader } from "@bufbuild/protobuf/wire";

/** Reads a length, lets `read` consume the message up to its end, and throws a RangeError when it does not end there. */
export function readNested(reader: BinaryReader, outerEnd: number, read: (end: number) => void): void {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > outerEnd) throw new RangeError("a nested message is longer than what holds it");
  read(end);
  if (reader.pos !== end) throw new RangeError("a nested message does not end where it says");
}

/** A 64-bit integer as a number. Throws a RangeError beyond ±(2^53 − 1). */
export function toNumber(value: bigint | string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError("a 64-bit number is beyond 2^53");
  return number;
}
