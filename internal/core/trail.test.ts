import { expect, test } from "vitest";
import type { TrailPoint } from "./live.ts";
import { Trail } from "./trail.ts";

const at = (capturedAtMs: number): TrailPoint => ({ latDeg: 57, lonDeg: 12, capturedAtMs });
const times = (trail: Trail) => trail.toArray().map(({ capturedAtMs }) => capturedAtMs);

test("a trail keeps the newest points and is never longer than its limit by more than a third", () => {
  const trail = new Trail();
  for (let n = 1; n <= 100; n++) {
    trail.push(at(n), 30);
    expect(trail.length).toBeLessThanOrEqual(40);
    expect(times(trail).slice(-30)).toEqual(
      Array.from({ length: Math.min(n, 30) }, (_, i) => n - Math.min(n, 30) + 1 + i),
    );
  }
  expect(trail.add(at(50), 30)).toBe(false);
  expect(trail.add(at(99.5), 30)).toBe(true);
  expect(times(trail).slice(-3)).toEqual([99, 99.5, 100]);
});

test("without a limit to speak of nothing is kept", () => {
  const trail = new Trail();
  trail.push(at(1), 0);
  expect(trail.add(at(2), 0)).toBe(false);
  expect(trail.length).toBe(0);
});
