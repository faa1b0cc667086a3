import { afterEach, expect, test, vi } from "vitest";
import { runBench } from "./run.ts";

afterEach(() => vi.restoreAllMocks());

const CASES = "the cases are river, drives, stages, history, latest, connections, log";

test.each([
  [[], `which case? ${CASES}`],
  [["rivers"], `no such case: rivers; ${CASES}`],
  [["toString"], `no such case: toString; ${CASES}`],
  [["stages", "latest"], "one case at a time"],
  [["stages", "--seconds", "few"], "few is not a positive number"],
  [["log", "--engines", "steam"], "steam is neither real nor embedded"],
  [["stages", "--nope"], "--nope"],
])("%j is wrong usage: it says why, and what there is", async (argv, words) => {
  let told = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    told += String(text);
    return true;
  });
  expect(await runBench(argv)).toBe(2);
  expect(told.split("\n")[0]).toContain(words);
  expect(told).toContain("usage: npm run bench");
});
