import { expect, test } from "vitest";
import type { WantedRate } from "./driver-state.ts";
import type { Position } from "./position.ts";
import { Sampler } from "./sampler.ts";

const RATE: WantedRate = { intervalMs: 10_000, accuracy: "high", reason: "IDLE" };
const at = (speedMps: number, headingDeg?: number): Position => ({
  latDeg: 57.7,
  lonDeg: 11.9,
  speedMps,
  headingDeg,
});

/** The seconds at which a position is taken, of a device that gives one a second. */
function taken(seconds: number, position: (second: number) => Position, rate = RATE): number[] {
  const sampler = new Sampler();
  return Array.from({ length: seconds }, (_, second) => second).filter((second) =>
    sampler.takes(position(second), second * 1_000, rate),
  );
}

test("a steady car gives a position per wanted interval, at most a tenth early", () => {
  expect(taken(31, () => at(10, 90))).toEqual([0, 9, 18, 27]);
  expect(taken(9, () => at(10, 90), { ...RATE, intervalMs: 2_000 })).toEqual([0, 2, 4, 6, 8]);
});

test("a turn, a stop and setting off are told at once", () => {
  expect(taken(8, (second) => at(10, second < 5 ? 350 : 25))).toEqual([0, 5]);
  expect(taken(8, (second) => at(second < 3 ? 10 : second < 6 ? 0 : 10, 90))).toEqual([0, 3, 6]);
});

test("a heading that wanders, or that of a car that stands, is no turn", () => {
  expect(taken(8, (second) => at(10, 90 + (second % 2) * 20))).toEqual([0]);
  expect(taken(8, (second) => at(0.5, second * 45))).toEqual([0]);
});

test("a device clock that was set back does not stop the positions", () => {
  const sampler = new Sampler();
  expect(sampler.takes(at(10, 90), 100_000, RATE)).toBe(true);
  expect(sampler.takes(at(10, 90), 50_000, RATE)).toBe(true);
});
