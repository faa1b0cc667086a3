import { expect, test } from "vitest";
import { TokenBucket } from "./token-bucket.ts";

test("gives the burst at once, then the sustained rate, and says how long to wait", () => {
  const bucket = new TokenBucket(10, 5, 0);
  expect(bucket.take(8, 0)).toBe(5);
  expect(bucket.waitMs(3)).toBe(300);
  expect(bucket.take(3, 100)).toBe(1);
  expect(bucket.take(3, 300)).toBe(2);
  expect(bucket.take(99, 100_000)).toBe(5);
});

test("a clock that steps back gives nothing and takes nothing", () => {
  const bucket = new TokenBucket(10, 5, 1_000);
  bucket.take(5, 1_000);
  expect(bucket.take(1, 500)).toBe(0);
  expect(bucket.take(1, 600)).toBe(1);
});
