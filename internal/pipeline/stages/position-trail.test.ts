import { describe, expect, it } from "vitest";
import {
  createPositionTrail,
  placeOnTrail,
  pushTrail,
  TRAIL_CAPACITY,
  TRAIL_SPAN_MS,
} from "./position-trail.ts";

const point = (tS: number, latDeg: number, lonDeg = 11, vx = 0, vy = 0) => ({
  tMs: tS * 1000,
  latDeg,
  lonDeg,
  vx,
  vy,
  pp: 4,
});

describe("the trail of recent places", () => {
  it("knows nothing before its oldest place, and holds the newest for what comes after", () => {
    const trail = createPositionTrail();
    expect(placeOnTrail(trail, 0)).toBeUndefined();
    pushTrail(trail, point(10, 57), true);
    expect(placeOnTrail(trail, 9_999)).toBeUndefined();
    expect(placeOnTrail(trail, 12_000)).toEqual({ latDeg: 57, lonDeg: 11, variance: 4, moving: true });
  });

  it("goes straight between two places of an even drive, and is less sure in the middle", () => {
    const trail = createPositionTrail();
    const step = 40 / 111_195.08;
    pushTrail(trail, point(0, 57, 11, 0, 10), true);
    pushTrail(trail, point(4, 57 + step, 11, 0, 10), true);
    const middle = placeOnTrail(trail, 2_000)!;
    expect(middle.latDeg).toBeCloseTo(57 + step / 2, 6);
    expect(middle.lonDeg).toBeCloseTo(11, 6);
    expect(middle.variance).toBeGreaterThan(4);
  });

  it("bends as the velocities at both ends say", () => {
    const trail = createPositionTrail();
    const step = 40 / 111_195.08;
    pushTrail(trail, point(0, 57, 11, 10, 0), true);
    pushTrail(trail, point(4, 57 + step, 11, -10, 0), true);
    expect(placeOnTrail(trail, 2_000)!.lonDeg).toBeGreaterThan(11 + 0.0001);
  });

  it("goes the short way across the 180th meridian", () => {
    const trail = createPositionTrail();
    pushTrail(trail, point(0, -17, 179.9998), true);
    pushTrail(trail, point(4, -17, -179.9998), true);
    expect(Math.abs(placeOnTrail(trail, 2_000)!.lonDeg)).toBeCloseTo(180, 5);
  });

  it("keeps the newest places about a second apart, and looks no further back than its span", () => {
    const trail = createPositionTrail();
    for (let t = 0; t < 300; t += 0.1) pushTrail(trail, point(t, 57 + t / 1e4), true);
    expect(trail.count).toBe(TRAIL_CAPACITY);
    expect(placeOnTrail(trail, 270_000)!.latDeg).toBeCloseTo(57 + 270 / 1e4, 4);
    for (let t = 304; t < 600; t += 4) pushTrail(trail, point(t, 57), true);
    expect(placeOnTrail(trail, 596_000 - TRAIL_SPAN_MS + 1)).toBeDefined();
    expect(placeOnTrail(trail, 596_000 - TRAIL_SPAN_MS - 1)).toBeUndefined();
  });

  it("begins anew when time does", () => {
    const trail = createPositionTrail();
    pushTrail(trail, point(100, 57), true);
    pushTrail(trail, point(50, 58), true);
    expect(trail.count).toBe(1);
    expect(placeOnTrail(trail, 60_000)!.latDeg).toBe(58);
  });
});
