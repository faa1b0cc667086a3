import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import { RateKeeper } from "./rate-keeper.ts";
import type { WantedRate } from "./wanted-rate.ts";

const every = (intervalMs: number, accuracy: WantedRate["accuracy"] = "high"): WantedRate => ({
  ...{ intervalMs, accuracy },
  reason: `EVERY_${intervalMs}`,
});
const { wantedRatePauseMs, slowerRateAfterMs } = DEFAULT_LIMITS;

describe("RateKeeper", () => {
  it("tells a faster rate at once", () => {
    const keeper = new RateKeeper(every(4_000), DEFAULT_LIMITS);
    expect(keeper.decide(every(2_000), 0)).toEqual(every(2_000));
    expect(keeper.waits).toBe(false);
  });

  it("tells a slower rate once it has been right all the time, the newest of them", () => {
    const keeper = new RateKeeper(every(4_000), DEFAULT_LIMITS);
    expect(keeper.decide(every(8_000), 0)).toBeUndefined();
    expect(keeper.decide(every(5_000), slowerRateAfterMs - 1)).toBeUndefined();
    expect(keeper.due(slowerRateAfterMs)).toEqual(every(5_000));
    expect(keeper.due(10 * slowerRateAfterMs)).toBeUndefined();
  });

  it("says nothing of a slower rate that was right for a moment", () => {
    const keeper = new RateKeeper(every(4_000), DEFAULT_LIMITS);
    keeper.decide(every(8_000), 0);
    expect(keeper.decide(every(4_000), 3_000)).toBeUndefined();
    expect(keeper.decide(every(8_000), 4_000)).toBeUndefined();
    expect(keeper.due(slowerRateAfterMs + 1_000)).toBeUndefined();
    expect(keeper.due(slowerRateAfterMs + 4_000)).toEqual(every(8_000));
  });

  it("does not wait with a slower rate that is certain", () => {
    const keeper = new RateKeeper(every(4_000), DEFAULT_LIMITS);
    expect(keeper.decide(every(10_000), 0, true)).toEqual(every(10_000));
  });

  it("says nothing when only the reason changes, and tells of another accuracy", () => {
    const keeper = new RateKeeper(every(4_000), DEFAULT_LIMITS);
    expect(keeper.decide({ ...every(4_000), reason: "OTHER" }, 0)).toBeUndefined();
    expect(keeper.decide(every(4_000, "balanced"), 0)).toBeUndefined();
    expect(keeper.due(slowerRateAfterMs)).toEqual(every(4_000, "balanced"));
    expect(keeper.decide(every(4_000, "high"), 2 * slowerRateAfterMs)).toEqual(every(4_000, "high"));
  });

  it("never tells of two rates within the pause, whatever is decided when, and in the end of the one that stands", () => {
    const steps = fc.array(
      fc.record({
        waitMs: fc.nat(3_000),
        intervalMs: fc.constantFrom(2_000, 3_000, 4_000, 8_000),
        certain: fc.boolean(),
      }),
      { minLength: 1, maxLength: 40 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const keeper = new RateKeeper(every(4_000), DEFAULT_LIMITS);
        const told: { atMs: number; rate: WantedRate }[] = [];
        const note = (atMs: number, rate: WantedRate | undefined) => rate && told.push({ atMs, rate });
        let nowMs = 0;
        for (const { waitMs, intervalMs, certain } of all) {
          nowMs += waitMs;
          note(nowMs, keeper.decide(every(intervalMs), nowMs, certain));
        }
        for (let i = 0; i < 10; i++) {
          nowMs += 1_000;
          note(nowMs, keeper.due(nowMs));
        }
        for (const [i, { atMs }] of told.entries())
          if (i > 0) expect(atMs - told[i - 1]!.atMs).toBeGreaterThanOrEqual(wantedRatePauseMs);
        expect((told.at(-1)?.rate ?? every(4_000)).intervalMs).toBe(all.at(-1)!.intervalMs);
        expect(keeper.waits).toBe(false);
      }),
    );
  });
});
