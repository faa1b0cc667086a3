import fc from "fast-check";
import { expect, test } from "vitest";
import { LossWatch } from "./loss-watch.ts";

type Event = "write" | "write, no answer" | "not arrived" | "emptied" | "set back";

test("tells every loss that the next answer knows of, and never one that was none", () => {
  const events = fc.constantFrom<Event>("write", "write, no answer", "not arrived", "emptied", "set back");
  fc.assert(
    fc.property(fc.array(events, { maxLength: 40 }), (script) => {
      const watch = new LossWatch();
      let mark: number | undefined;
      let answered = 0;
      let isLost = false;
      const written: number[] = [];
      const unanswered = new Set<number | undefined>();
      for (const event of [...script, "write" as const]) {
        if (event === "emptied") mark = undefined;
        else if (event === "set back") mark = written[Math.floor(written.length / 2)];
        isLost = answered > 0 && (mark === undefined || mark < answered);
        if (event === "not arrived") watch.failed(watch.next());
        if (event === "write" || event === "write, no answer") {
          const before = mark;
          mark = watch.next();
          written.push(mark);
          if (event === "write") {
            // What a write found whose answer never came may have been a loss.
            expect(watch.answered(mark, before)).toBe(isLost || (answered > 0 && unanswered.has(before)));
            answered = mark;
          } else {
            watch.failed(mark);
            unanswered.add(mark);
          }
        }
      }
      expect(watch.hasWritten).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test("tells the same in whatever order the answers to writes under way together are told", () => {
  const events = fc.constantFrom<Event>("write", "write", "write", "not arrived", "emptied", "set back");
  const groups = fc.array(fc.tuple(fc.array(events, { maxLength: 8 }), fc.infiniteStream(fc.nat())), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(groups, (script) => {
      const watch = new LossWatch();
      let mark: number | undefined;
      let known = 0;
      for (const [group, order] of script) {
        const answers: { number: number; before: number | undefined; key: number }[] = [];
        for (const event of group) {
          if (event === "emptied") mark = undefined;
          else if (event === "set back" && mark !== undefined) mark = Math.floor(mark / 2);
          else if (event === "not arrived") watch.next();
          else if (event === "write") {
            const before = mark;
            mark = watch.next();
            answers.push({ number: mark, before, key: order.next().value });
          }
        }
        let losses = 0;
        for (const { number, before } of answers) {
          if (known > 0 && (before ?? -1) < known) losses++;
          known = number;
        }
        const told = answers
          .toSorted((a, b) => a.key - b.key)
          .map(({ number, before }) => watch.answered(number, before));
        expect(told.includes(true)).toBe(losses > 0);
        expect(told.filter((isLost) => isLost).length).toBeLessThanOrEqual(losses);
      }
    }),
    { numRuns: 2_000 },
  );
});
