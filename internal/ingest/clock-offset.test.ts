import fc from "fast-check";
import { expect, test } from "vitest";
import { ClockOffset } from "./clock-offset.ts";

const T0 = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const make = () => new ClockOffset({ clockDeadBandMs: 1_000 });

test("a clock within the dead band is left alone", () => {
  const offset = make();
  expect(offset.appliedMs).toBe(0);
  expect(offset.sample(T0, T0 - 900)).toBe(0);
  expect(offset.sample(T0 + 1_000, T0 + 1_900)).toBe(0);
});

test("the estimate is the lowest delay seen: never above the truth plus the smallest delay, never below the truth", () => {
  const delays = fc.array(fc.integer({ min: 0, max: 4_000 }), { minLength: 1, maxLength: 40 });
  const truths = fc.integer({ min: -1_000 * HOUR_MS, max: 1_000 * HOUR_MS });
  fc.assert(
    fc.property(delays, truths, (delaysMs, truthMs) => {
      const offset = make();
      for (const [index, delayMs] of delaysMs.entries()) {
        const receivedMs = T0 + index * 4_000 + delayMs;
        offset.sample(receivedMs, receivedMs - delayMs - truthMs);
      }
      const expected = truthMs + Math.min(...delaysMs);
      // A long run of equal delays may pass for a step back of the clock, up to the smallest of them.
      expect(offset.appliedMs).toBeGreaterThanOrEqual(Math.abs(expected) <= 1_000 ? 0 : truthMs);
      expect(offset.appliedMs).toBeLessThanOrEqual(Math.max(truthMs + Math.max(...delaysMs), 0));
    }),
    { seed: 2 },
  );
});

test("a message without a usable device time changes nothing", () => {
  const offset = make();
  offset.sample(T0, T0 - HOUR_MS);
  for (const useless of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 9e18])
    expect(offset.sample(T0 + 1, useless)).toBe(HOUR_MS);
});

test("one absurd device time counts for its own message only", () => {
  const offset = make();
  offset.sample(T0, T0);
  expect(offset.sample(T0 + 4_000, T0 + 4_000 + 1_000 * HOUR_MS)).toBe(-1_000 * HOUR_MS);
  expect(offset.appliedMs).toBe(0);
  expect(offset.sample(T0 + 8_000, T0 + 8_000)).toBe(0);
});

test.each([
  ["forward", HOUR_MS],
  ["back", -HOUR_MS],
])("a step of the device clock %s is believed from the second message on", (_, stepMs) => {
  const offset = make();
  offset.sample(T0, T0);
  expect(offset.sample(T0 + 4_000, T0 + 4_000 + stepMs)).toBe(-stepMs);
  offset.sample(T0 + 8_000, T0 + 8_000 + stepMs);
  expect(offset.appliedMs).toBe(-stepMs);
});

test("a small step back is told from delay by its constancy", () => {
  const offset = make();
  offset.sample(T0, T0 - 50);
  for (let i = 1; i <= 10; i++) offset.sample(T0 + i * 4_000, T0 + i * 4_000 - 20_000 - (i % 3) * 100);
  expect(offset.appliedMs).toBe(20_000);
});

test("delay that comes and goes is not taken for a step", () => {
  const offset = make();
  offset.sample(T0, T0 - 50);
  for (let i = 1; i <= 40; i++) offset.sample(T0 + i * 4_000, T0 + i * 4_000 - (i % 2) * 25_000 - 60);
  expect(offset.appliedMs).toBe(0);
});
