import fc from "fast-check";
import { expect, test } from "vitest";
import { LossWatch } from "./loss-watch.ts";

type Event = "write" | "write, no answer" | "not arrived" | "emptied" | "set back";

test("tells every loss at the next answer, and never one that was none", () => {
  const events = fc.constantFrom<Event>("write", "write, no answer", "not arrived", "emptied", "set back");
  fc.assert(
    fc.property(fc.array(events, { maxLength: 40 }), (script) => {
      const watch = new LossWatch();
      let mark: number | undefined;
      let answered = 0;
      let isLost = false;
      for (const event of [...script, "write" as const]) {
        if (event === "emptied") mark = undefined;
        else if (event === "set back" && mark !== undefined) mark = Math.floor(mark / 2);
        isLost = answered > 0 && (mark === undefined || mark < answered);
        if (event === "not arrived") watch.next();
        if (event === "write" || event === "write, no answer") {
          const before = mark;
          mark = watch.next();
          if (event === "write") {
            expect(watch.answered(mark, before)).toBe(isLost);
            answered = mark;
          }
        }
      }
      expect(watch.hasWritten).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});
