/**
 * Whole numbers as base64 text: zigzag, then seven bits a byte, the low ones first (the sint32 of protobuf).
 * Small differences, of which the city's files are full, take one byte. Runs in browsers and in Node.
 */

/** Packs whole numbers of −2^31…2^31−1. Throws a RangeError on any other number. */
export function packVarints(values: ArrayLike<number>): string {
  const bytes: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if ((value | 0) !== value) throw new RangeError(`not a 32-bit whole number: ${value}`);
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    while (rest > 127) {
      bytes.push((rest & 127) | 128);
      rest >>>= 7;
    }
    bytes.push(rest);
  }
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.slice(i, i + 8192));
  return btoa(text);
}

/** Reads the numbers of {@link packVarints} one after the other. */
export type VarintReader = {
  /** The next number. Throws a RangeError past the end. */
  next(): number;
  /** True when all have been read. */
  done(): boolean;
};

/** Opens text made by {@link packVarints}. Throws when it is not base64. */
export function readVarints(base64: string): VarintReader {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  let at = 0;
  return {
    next() {
      let value = 0;
      for (let shift = 0; shift < 35; shift += 7) {
        if (at >= bytes.length) throw new RangeError("the numbers end too early");
        const byte = bytes[at++]!;
        value |= (byte & 127) << shift;
        if (byte < 128) break;
      }
      return (value >>> 1) ^ -(value & 1);
    },
    done: () => at >= bytes.length,
  };
}
