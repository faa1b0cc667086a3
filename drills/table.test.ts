import { expect, test } from "vitest";
import type { DrillResult } from "./drill.ts";
import { tableText } from "./table.ts";

const result: DrillResult = {
  name: "kill-edge",
  pid: 42,
  faultAt: "2026-01-01T00:00:00.000Z",
  acked: 10_000,
  missing: 1,
  duplicated: 0,
  wentBack: 0,
  owners2: 0,
  gapMs: 1_234,
  ok: false,
  ackedPerSecond: { before: 525, during: 430, after: 525 },
  acksPromised: false,
};

test("the table has a line per drill, says which is not ok and where acks are not promised", () => {
  const [head, line] = tableText([result]).split("\n");
  expect(head).toMatch(/^drill\s+ok\s+pid/);
  expect(line).toMatch(/^kill-edge\s+NO\s+42\s+10000\s+1\s+0\s+0\s+0\s+525\s+430 \*\s+525\s+1234$/);
});

test("the table also takes a drill that broke off", () => {
  const { ackedPerSecond: _, acksPromised: __, ...broken } = result;
  expect(tableText([broken])).toContain("kill-edge");
});
