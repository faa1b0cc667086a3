import { expect, test } from "vitest";
import { UpdateTimes } from "./update-times.ts";

test("a partition is back with what was computed after the fault, not with what was under way", () => {
  const times = new UpdateTimes([0, 1]);
  times.add(0, { processedAtMs: 990, readAtMs: 1_010 });
  times.add(1, { processedAtMs: 1_005, readAtMs: 1_020 });
  expect(times.allBackAtMs(1_000)).toBeUndefined();
  times.add(0, { processedAtMs: 3_100, readAtMs: 3_101 });
  times.add(0, { processedAtMs: 3_200, readAtMs: 3_201 });
  expect(times.allBackAtMs(1_000)).toBe(3_101);
});

test("the longest silence is that of the partition that was silent longest, up to the end", () => {
  const times = new UpdateTimes([0, 1]);
  for (const at of [100, 200, 700]) times.add(0, { processedAtMs: at, readAtMs: at });
  for (const at of [150, 400]) times.add(1, { processedAtMs: at, readAtMs: at });
  expect(times.longestSilenceMs(100, 800)).toBe(500);
  expect(times.longestSilenceMs(100, 1_000)).toBe(600);
  expect(times.longestSilenceMs(2_000, 2_300)).toBe(300);
});
