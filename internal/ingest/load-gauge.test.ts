import { describe, expect, it } from "vitest";
import { LoadGauge, threadShare } from "./load-gauge.ts";

describe("LoadGauge", () => {
  const looks = (gauge: LoadGauge, count: number) => {
    for (let i = 0; i < count; i++) gauge.look();
    return gauge.level;
  };

  it("rises only when it is busy for seconds, a level at a time, and falls only after half a minute of calm", () => {
    let share = 1;
    const gauge = new LoadGauge(() => share);
    expect(looks(gauge, 4)).toBe(0);
    expect(looks(gauge, 1)).toBe(1);
    expect(looks(gauge, 5)).toBe(2);
    expect(looks(gauge, 100)).toBe(2);
    share = 0;
    expect(looks(gauge, 29)).toBe(2);
    expect(looks(gauge, 1)).toBe(1);
    expect(looks(gauge, 30)).toBe(0);
  });

  it("stays where it is between the thresholds, and begins to count anew after a moment on the other side", () => {
    let share = 0.9;
    const gauge = new LoadGauge(() => share);
    looks(gauge, 4);
    share = 0.1;
    looks(gauge, 1);
    share = 0.9;
    expect(looks(gauge, 4)).toBe(0);
    expect(looks(gauge, 1)).toBe(1);
    share = 0.8;
    expect(looks(gauge, 100)).toBe(1);
  });

  it("measures the share of this thread's time", () => {
    const share = threadShare();
    share();
    const untilMs = performance.now() + 30;
    while (performance.now() < untilMs);
    const measured = share();
    expect(measured).toBeGreaterThan(0);
    expect(measured).toBeLessThanOrEqual(1);
  });
});
