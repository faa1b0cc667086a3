import fc from "fast-check";
import { expect, test } from "vitest";
import { SeqIntervals } from "./seq-intervals.ts";

const numbers = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 120 });

test("holds exactly what was added, in as few intervals as there are runs", () => {
  fc.assert(
    fc.property(numbers, (added) => {
      const intervals = new SeqIntervals(64);
      const reference = new Set<number>();
      for (const seq of added) {
        intervals.add(seq);
        reference.add(seq);
      }
      for (let seq = -1; seq <= 61; seq++) expect(intervals.has(seq)).toBe(reference.has(seq));
      expect(intervals.size).toBe([...reference].filter((seq) => !reference.has(seq + 1)).length);
      expect(intervals.largest).toBe(added.length === 0 ? undefined : Math.max(...added));
    }),
    { seed: 3, numRuns: 500 },
  );
});

test("on overflow it forgets the lowest interval, and never claims what was not added", () => {
  fc.assert(
    fc.property(numbers, fc.integer({ min: 1, max: 5 }), (added, bound) => {
      const intervals = new SeqIntervals(bound);
      for (const seq of added) {
        intervals.add(seq);
        expect(intervals.size).toBeLessThanOrEqual(bound);
      }
      const reference = new Set(added);
      for (let seq = -1; seq <= 61; seq++) if (intervals.has(seq)) expect(reference.has(seq)).toBe(true);
    }),
    { seed: 4, numRuns: 500 },
  );
});
