import fc from "fast-check";
import { expect, test } from "vitest";
import { packVarints, readVarints } from "./varints.ts";

const MIN = -(2 ** 31);
const MAX = 2 ** 31 - 1;

test("numbers come back as they were packed", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: MIN, max: MAX })), (values) => {
      const reader = readVarints(packVarints(values));
      expect(values.map(() => reader.next())).toEqual(values);
      expect(reader.done()).toBe(true);
    }),
  );
});

test("the ends of the range fit, and what lies beyond is refused", () => {
  const reader = readVarints(packVarints([MIN, MAX]));
  expect([reader.next(), reader.next()]).toEqual([MIN, MAX]);
  for (const bad of [MAX + 1, MIN - 1, 0.5, Number.NaN]) expect(() => packVarints([bad])).toThrow(RangeError);
});

test("reading past the end is an error", () => {
  expect(() => readVarints("").next()).toThrow(RangeError);
});
