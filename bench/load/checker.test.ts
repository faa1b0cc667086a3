import { describe, expect, test } from "vitest";
import { compare } from "./checker.ts";

const fix = (seq: number, sessionId = "session-a", driverId = "car-1") => ({
  driverId,
  sessionId,
  seq,
  capturedAtMs: seq,
});

describe("the checker", () => {
  test("is content when every acked fix is found once", () => {
    const fixes = [fix(0), fix(1), fix(0, "session-b"), fix(0, "session-a", "car-2")];
    expect(compare(fixes, [...fixes].reverse())).toEqual({ acked: 4, found: 4, missing: 0, duplicated: 0 });
  });

  test("catches a planted loss", () => {
    expect(compare([fix(0), fix(1), fix(2)], [fix(0), fix(2)]).missing).toBe(1);
  });

  test("catches a planted duplicate", () => {
    expect(compare([fix(0), fix(1)], [fix(0), fix(1), fix(1)]).duplicated).toBe(1);
  });

  test("takes no fix of another session or driver for the one that is missing", () => {
    expect(compare([fix(7)], [fix(7, "session-b"), fix(7, "session-a", "car-2")]).missing).toBe(1);
  });

  test("takes no fix of another time for the one that is missing", () => {
    expect(compare([fix(7)], [{ ...fix(7), capturedAtMs: 8 }]).missing).toBe(1);
  });

  test("does not mind fixes that are stored and were never acked, or were acked twice", () => {
    expect(compare([fix(0), fix(0)], [fix(0), fix(1)])).toMatchObject({
      acked: 1,
      missing: 0,
      duplicated: 0,
    });
  });
});
