import fc from "fast-check";
import { expect, test } from "vitest";
import { anyRecordedFix } from "../history/test-data.ts";
import { PackedFixes } from "./packed-fixes.ts";

test("any fixes come out of packed ones as they went in, and what was taken out stays as it was", () => {
  fc.assert(
    fc.property(fc.array(anyRecordedFix, { maxLength: 40 }), fc.nat({ max: 40 }), (fixes, early) => {
      const ofSession = fixes.map((fix) => ({ ...fix, sessionId: "session-a" }));
      const packed = new PackedFixes("session-a");
      for (const fix of ofSession.slice(0, early)) packed.add(fix);
      const before = packed.toArray();
      for (const fix of ofSession.slice(early)) packed.add(fix);
      expect(before).toEqual(ofSession.slice(0, early));
      expect(packed.toArray()).toEqual(ofSession);
      expect(packed.length).toBe(fixes.length);
    }),
  );
});
