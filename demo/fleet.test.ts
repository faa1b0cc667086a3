import { expect, test } from "vitest";
import type { Fix } from "../internal/core/fix.ts";
import { distanceM, METRES_PER_DEGREE } from "../internal/core/geo.ts";
import { createFleet, type DeviceOutput, type Fleet, type FleetSettings } from "./fleet.ts";
import { forEachPoint, readRoadGraph } from "./road-graph.ts";

const graph = await readRoadGraph();
const START_MS = 1_700_000_000_000;
const MINUTE_MS = 60_000;

function fleetOf(settings: Partial<FleetSettings> = {}): Fleet {
  return createFleet({ seed: 7, cars: 10, graph, startMs: START_MS, ...settings });
}

/** Advances in steps, giving a request to the nearest free car every half minute, and returns what the phones sent. */
function run(
  fleet: Fleet,
  minutes: number,
  stepMs = 1000,
  look: (nowMs: number) => void = () => {},
): DeviceOutput[] {
  const outputs: DeviceOutput[] = [];
  for (let ms = 0; ms <= minutes * MINUTE_MS; ms += stepMs) {
    outputs.push(...fleet.advance(START_MS + ms));
    if (ms % 30_000 === 0) {
      const { pickup, dropoff } = fleet.randomTripRequest();
      const car = fleet.nearestFree(pickup);
      if (car) fleet.plan(car.driverId, pickup, dropoff);
    }
    look(START_MS + ms);
  }
  return outputs;
}

/** Metres to the nearest road, looking at all of them. */
function offRoadM(latDeg: number, lonDeg: number): number {
  const east = Math.cos((latDeg * Math.PI) / 180) * METRES_PER_DEGREE;
  let best = Number.POSITIVE_INFINITY;
  for (let road = 0; road < graph.roadCount; road++) {
    let ax = Number.NaN;
    let ay = Number.NaN;
    forEachPoint(graph, road, true, (lat, lon) => {
      const [bx, by] = [(lon - lonDeg) * east, (lat - latDeg) * METRES_PER_DEGREE];
      const squared = (bx - ax) ** 2 + (by - ay) ** 2;
      const share = Math.max(0, Math.min(1, (-ax * (bx - ax) - ay * (by - ay)) / squared));
      const off = Math.hypot(ax + share * (bx - ax), ay + share * (by - ay));
      if (off < best) best = off;
      [ax, ay] = [bx, by];
    });
  }
  return best;
}

const fixesOf = (outputs: DeviceOutput[], driverId: string): Fix[] =>
  outputs.filter((output) => output.driverId === driverId).flatMap((output) => output.fixes);

test("cars stay on roads", () => {
  const fleet = fleetOf();
  let worstM = 0;
  run(fleet, 15, 1000, (nowMs) => {
    if (nowMs % MINUTE_MS !== START_MS % MINUTE_MS) return;
    for (const { latDeg, lonDeg } of fleet.driverIds.map(fleet.car))
      worstM = Math.max(worstM, offRoadM(latDeg, lonDeg));
  });
  expect(worstM).toBeLessThan(0.1);
});

test("cars drive at plausible speeds and neither leap nor stop dead, when jobs start and end too", () => {
  const fleet = fleetOf();
  const stepS = 0.5;
  const before = new Map(fleet.driverIds.map((id) => [id, fleet.car(id)]));
  const speeds: number[] = [];
  run(fleet, 20, stepS * 1000, (nowMs) => {
    if ((nowMs - START_MS) % 70_000 === 0) fleet.abandon(fleet.driverIds[3]!);
    for (const id of fleet.driverIds) {
      const [last, now] = [before.get(id)!, fleet.car(id)];
      const movedM = distanceM(last.latDeg, last.lonDeg, now.latDeg, now.lonDeg);
      expect(movedM).toBeLessThan(((last.speedMps + now.speedMps) / 2 + 0.6) * stepS);
      expect(now.speedMps - last.speedMps).toBeLessThan(1.7 * stepS);
      expect(last.speedMps - now.speedMps).toBeLessThan(2.1 * stepS);
      speeds.push(now.speedMps);
      before.set(id, now);
    }
  });
  expect(Math.max(...speeds)).toBeLessThan(34);
  expect(Math.max(...speeds)).toBeGreaterThan(12);
  const moving = speeds.filter((speed) => speed > 0.3);
  expect(moving.length / speeds.length).toBeGreaterThan(0.5);
  const mean = moving.reduce((a, b) => a + b) / moving.length;
  expect(mean).toBeGreaterThan(5);
  expect(mean).toBeLessThan(15);
});

test("the same seed gives the same output, another seed another", () => {
  const first = run(fleetOf(), 10);
  expect(run(fleetOf(), 10)).toEqual(first);
  expect(run(fleetOf({ seed: 8 }), 10)).not.toEqual(first);
});

test("how often one looks changes nothing", () => {
  const [often, seldom] = [run(fleetOf(), 10, 500), run(fleetOf(), 10, 5000)];
  for (const id of fleetOf().driverIds) expect(fixesOf(often, id)).toEqual(fixesOf(seldom, id));
});

test("seq rises by one from fix to fix in the order of capture, and each fix is handed over once", () => {
  const fleet = fleetOf({ offlineEveryS: 200 });
  const outputs = run(fleet, 40);
  for (const id of fleet.driverIds) {
    const fixes = fixesOf(outputs, id).toSorted((a, b) => a.seq - b.seq);
    const last = fixes[fixes.length - 1]!.seq;
    expect(new Set(fixes.map((fix) => fix.seq)).size).toBe(fixes.length);
    expect(last + 1 - fixes.length).toBeLessThan(25);
    fixes.slice(1).forEach((fix, i) => {
      expect(fix.capturedAtMs).toBeGreaterThan(fixes[i]!.capturedAtMs);
    });
  }
});

test("an offline phone goes on capturing, in the order of time", () => {
  const fleet = fleetOf({ offlineEveryS: 200, deadZones: 0 });
  const outputs = run(fleet, 20);
  for (const id of fleet.driverIds) {
    const seqs = fixesOf(outputs, id).map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_, i) => i));
  }
  const offline = outputs.filter((output) => !output.online);
  expect(offline.length).toBeGreaterThan(10);
  expect(offline.every(({ fixes }) => fixes.length > 0)).toBe(true);
});

test("a fix every four seconds, some metres off, now and then far off, by clocks that differ", () => {
  const fleet = fleetOf({ cars: 40, offlineEveryS: Number.POSITIVE_INFINITY, jumpShare: 0.01, deadZones: 0 });
  const errors: number[] = [];
  const clocks = new Set<number>();
  run(fleet, 1);
  for (let ms = MINUTE_MS; ms < 15 * MINUTE_MS; ms += 100) {
    for (const { driverId, fixes } of fleet.advance(START_MS + ms)) {
      const truth = fleet.car(driverId);
      expect(fixes.length).toBe(1);
      errors.push(distanceM(truth.latDeg, truth.lonDeg, fixes[0]!.latDeg, fixes[0]!.lonDeg));
      clocks.add(Math.round((fixes[0]!.capturedAtMs - START_MS - ms) / 100));
    }
  }
  errors.sort((a, b) => a - b);
  const share = (limit: number) => errors.filter((error) => error > limit).length / errors.length;
  expect(errors.length).toBeCloseTo(40 * 14 * 15, -2);
  expect(errors[errors.length >> 1]).toBeGreaterThan(0.8);
  expect(errors[errors.length >> 1]).toBeLessThan(3);
  expect(share(40)).toBeGreaterThan(0.005);
  expect(share(40)).toBeLessThan(0.02);
  expect(clocks.size).toBeGreaterThan(10);
});

test("fixes are missing for 10 to 60 seconds in some places", () => {
  const outputs = run(fleetOf({ cars: 30, offlineEveryS: Number.POSITIVE_INFINITY, deadZones: 60 }), 20);
  const gapsS = fleetOf({ cars: 30 }).driverIds.flatMap((id) => {
    const fixes = fixesOf(outputs, id);
    return fixes.slice(1).map((fix, i) => (fix.capturedAtMs - fixes[i]!.capturedAtMs) / 1000);
  });
  expect(gapsS.filter((gap) => gap >= 10).length).toBeGreaterThan(5);
});

test("a job goes through its phases, along the planned path, and stops at both places", () => {
  const fleet = fleetOf();
  fleet.advance(START_MS + MINUTE_MS);
  fleet.events();
  const { pickup, dropoff } = fleet.randomTripRequest();
  const { driverId } = fleet.nearestFree(pickup)!;
  const plan = fleet.plan(driverId, pickup, dropoff);
  expect([plan.pickup, plan.dropoff]).toEqual([pickup, dropoff]);
  expect(plan.plannedPath[plan.pickupIndex]).toEqual(pickup);
  expect(plan.plannedPath.at(-1)).toEqual(dropoff);
  expect(() => fleet.plan(driverId, pickup, dropoff)).toThrow(RangeError);
  const phases: string[] = [];
  for (let ms = MINUTE_MS; phases.at(-1) !== "cruising"; ms += 1000) {
    fleet.advance(START_MS + ms);
    const { phase, latDeg, lonDeg, speedMps } = fleet.car(driverId);
    if (phases.at(-1) !== phase) phases.push(phase);
    const stop = phase === "at_pickup" ? pickup : phase === "at_dropoff" ? dropoff : undefined;
    if (!stop) continue;
    expect(speedMps).toBe(0);
    expect(distanceM(latDeg, lonDeg, stop.latDeg, stop.lonDeg)).toBeLessThan(0.1);
  }
  expect(phases).toEqual(["to_pickup", "at_pickup", "to_dropoff", "at_dropoff", "cruising"]);
  const told = fleet.events().filter((event) => event.driverId === driverId);
  expect(told.map((event) => event.phase)).toEqual(phases.slice(1));
});

test("an abandoned job frees the car", () => {
  const fleet = fleetOf({ cars: 1 });
  const driverId = fleet.driverIds[0]!;
  fleet.advance(START_MS + MINUTE_MS);
  const { pickup, dropoff } = fleet.randomTripRequest();
  fleet.plan(driverId, pickup, dropoff);
  fleet.advance(START_MS + MINUTE_MS + 30_000);
  expect(fleet.nearestFree(pickup)).toBeUndefined();
  fleet.abandon(driverId);
  expect(fleet.car(driverId).isFree).toBe(true);
  expect(fleet.plan(driverId, pickup, dropoff).plannedPath.length).toBeGreaterThan(10);
});

test("after a long pause only the last ten minutes are sent", () => {
  const fleet = fleetOf({ cars: 1, offlineEveryS: Number.POSITIVE_INFINITY });
  const fixes = fleet.advance(START_MS + 600 * MINUTE_MS).flatMap((output) => output.fixes);
  expect(fixes.length).toBeLessThanOrEqual(151);
  expect(fixes.length).toBeGreaterThan(50);
});

test("events that nobody takes are bounded", () => {
  const fleet = fleetOf({ cars: 2 });
  for (let ms = 0; ms < 300 * MINUTE_MS; ms += MINUTE_MS) fleet.advance(START_MS + ms);
  expect(fleet.events().length).toBe(40);
  expect(fleet.events()).toEqual([]);
});

test("what makes no sense is refused", () => {
  const fleet = fleetOf();
  const place = fleet.car(fleet.driverIds[0]!);
  expect(() => fleetOf({ cars: 0 })).toThrow(RangeError);
  expect(() => fleet.car("nobody")).toThrow(RangeError);
  expect(() => fleet.plan(fleet.driverIds[0]!, place, place)).toThrow(RangeError);
});
