import fc from "fast-check";
import { expect, test } from "vitest";
import { createMinHeap } from "./min-heap.ts";

test("items come out by rising key", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true })), (keys) => {
      const heap = createMinHeap(keys.length);
      keys.forEach((key, item) => {
        heap.push(key, item);
      });
      const out = keys.map(() => keys[heap.pop()]);
      expect(out).toEqual(Array.from(Float64Array.from(keys).sort(), (key) => key));
      expect(heap.pop()).toBe(-1);
    }),
  );
});

test("a full heap says so", () => {
  const heap = createMinHeap(1);
  heap.push(1, 0);
  expect(() => heap.push(2, 0)).toThrow(RangeError);
});
