import { describe, expect, it } from "vitest";
import { distanceM } from "../internal/core/geo.ts";
import { type Csv, DIRT_AMOUNTS, DIRT_KINDS, dirty, formatCsv, parseCsv, thinned } from "./dirt.ts";

const CLEAN: Csv = {
  header: ["t_ms", "lat", "lon", "speed_mps", "heading_deg", "accuracy_m", "label"],
  rows: Array.from({ length: 4_000 }, (_, i) => [
    String(1_000_000 + 1_000 * i),
    (57.7 + i * 1e-4).toFixed(9),
    "11.970000000",
    "11.1",
    "0",
    "",
    `row ${i}`,
  ]),
};
const ALONE = { ...DIRT_AMOUNTS, lostShare: 0, doubledShare: 0, lateShare: 0 };
const byTime = new Map(CLEAN.rows.map((cells) => [cells[0], cells]));

/** How far each row was moved, metres. */
function moved({ rows }: Csv): number[] {
  return rows.map((cells) => {
    const clean = byTime.get(cells[0])!;
    return distanceM(Number(clean[1]), Number(clean[2]), Number(cells[1]), Number(cells[2]));
  });
}

const rms = (values: number[]) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

describe("planted dirt", () => {
  it.each(DIRT_KINDS)("%s is the same for the same seed, and another for another", (kind) => {
    const text = (seed: number) => formatCsv(dirty(CLEAN, kind, seed).csv);
    expect(text(7)).toBe(text(7));
    expect(text(7)).not.toBe(text(8));
  });

  it("leaves the clean drive and the other columns as they are", () => {
    const before = formatCsv(CLEAN);
    const { csv } = dirty(CLEAN, "noise", 1);
    expect(formatCsv(CLEAN)).toBe(before);
    for (const cells of csv.rows) {
      const clean = byTime.get(cells[0])!;
      expect([cells[3], cells[4], cells[6]]).toEqual([clean[3], clean[4], clean[6]]);
    }
  });

  it("loses 10 %, doubles 3 % and delays 5 % by up to a minute, in the order of arrival", () => {
    const { rows } = dirty(CLEAN, "base", 3).csv;
    const times = rows.map((cells) => Number(cells[0]));
    const different = new Set(times).size;
    expect(different / CLEAN.rows.length).toBeCloseTo(0.9, 1);
    expect((rows.length - different) / different).toBeCloseTo(0.03, 1);
    let newest = 0;
    const delays = times.map((t) => {
      newest = Math.max(newest, t);
      return newest - t;
    });
    expect(Math.max(...delays)).toBeLessThanOrEqual(60_000);
    expect(Math.max(...delays)).toBeGreaterThan(40_000);
    expect(delays.filter((delay) => delay > 0).length / times.length).toBeCloseTo(0.05, 1);
    expect(Math.max(...moved({ header: CLEAN.header, rows }))).toBeLessThan(0.1);
  });

  it("jumps on 1.5 % by 60 to 300 m, not in the first seconds", () => {
    const jumps = moved(dirty(CLEAN, "jumps", 4, ALONE).csv);
    const far = jumps.filter((metres) => metres > 0.1);
    expect(far.length / jumps.length).toBeCloseTo(0.015, 2);
    expect(Math.min(...far)).toBeGreaterThan(59);
    expect(Math.max(...far)).toBeLessThan(301);
    expect(Math.max(...jumps.slice(0, 10))).toBeLessThan(0.1);
  });

  it("noise and bias are as large as they report", () => {
    const amounts = { ...ALONE, jumpShare: 0 };
    const noisy = dirty(CLEAN, "noise", 5, amounts).csv;
    expect(rms(moved(noisy)) / Math.SQRT2).toBeCloseTo(12, 0);
    expect(noisy.rows.every((cells) => cells[5] === "12")).toBe(true);
    const biased = moved(dirty(CLEAN, "bias", 5, amounts).csv);
    expect(Math.abs(rms(biased) - 12)).toBeLessThan(2.5);
    const steps = biased.slice(1).map((metres, i) => Math.abs(metres - biased[i]!));
    expect(rms(steps)).toBeLessThan(3.5);
  });

  it("drift creeps to its distance and snaps back, and tells where", () => {
    const { csv, drifts } = dirty(CLEAN, "drift", 6, ALONE);
    const metres = moved(csv);
    expect(drifts.length).toBeGreaterThan(15);
    for (const { fromMs, toMs } of drifts.slice(0, -1)) {
      const last = (toMs - 1_000_000) / 1_000;
      expect(toMs - fromMs).toBeLessThanOrEqual(15_000);
      expect(metres[last]).toBeGreaterThan(65);
      expect(metres[last + 1]).toBeLessThan(0.1);
    }
  });

  it("adds the accuracy column where there is none", () => {
    const bare = parseCsv("t_ms,lat,lon\n0,57,11\n1000,57,11\n");
    expect(dirty(bare, "noise", 1, ALONE).csv.header).toEqual(["t_ms", "lat", "lon", "accuracy_m"]);
  });

  it("thins as the scoring script does", () => {
    const times = [0, 1000, 2000, 3000, 4000, 5000, 7950, 9000].map((t) => [String(t)]);
    expect(thinned({ header: ["t_ms"], rows: times }, 4).rows.flat()).toEqual(["0", "4000", "7950"]);
  });
});
