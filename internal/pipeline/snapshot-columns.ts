/**
 * The numbers (and yes or no) of a flat state object, by name: a snapshot carries the names once and the values per
 * object, so that a field may be added or leave without a new format.
 */
export type Fields<T> = {
  readonly names: string[];
  values(from: T): number[];
  /** Fills the object with the values of the names that it has. */
  fill(into: T, names: readonly string[], values: readonly number[]): void;
};

/** The fields of objects like `sample`, which has every field at its value of a new object. */
export function fieldsOf<T extends object>(sample: T): Fields<T> {
  type Plain = Record<string, unknown>;
  const isNumber = new Map<string, boolean>();
  for (const [name, value] of Object.entries(sample)) {
    if (typeof value === "number" || typeof value === "boolean")
      isNumber.set(name, typeof value === "number");
  }
  const names = [...isNumber.keys()];
  return {
    names,
    values: (from) => names.map((name) => Number((from as Plain)[name])),
    fill(into, given, values) {
      for (const [i, name] of given.entries()) {
        const value = values[i];
        const number = isNumber.get(name);
        if (value === undefined || number === undefined) continue;
        (into as Plain)[name] = number ? value : value === 1;
      }
    },
  };
}

/** 32-bit integers as they lie in memory, little-endian on every machine that Node runs on. A copy. */
export function bytesOf(numbers: Int32Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength).slice();
}

/** Inverse of {@link bytesOf}. Throws a RangeError when the length is no multiple of four. */
export function int32sOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(new Uint8Array(bytes).buffer);
}

/** A whole number as a 64-bit integer of a message. */
export function int64(value: number): bigint {
  return BigInt(Math.round(value));
}
