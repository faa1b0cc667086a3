import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type Csv, dirty, parseCsv, thinned } from "../../bench/dirt.ts";
import type { Fix } from "../core/fix.ts";
import { destination, distanceM } from "../core/geo.ts";
import type { Trip } from "../core/trip.ts";
import { smooth } from "./smoother.ts";
import { createPhaseState, detectPhase, type PhaseChange } from "./stages/phase.ts";

const SHARED = process.env.BIMRIDE_TRACES ?? fileURLToPath(new URL("../../../shared/data", import.meta.url));
const TRACES = `${SHARED}/traces`;
const PHONES = ["gsdc-mtv/20200514-pixel4", "gsdc-mtv/20200514-pixel4xl"];
const read = (name: string) => parseCsv(readFileSync(`${TRACES}/${name}.csv`, "utf8"));

/** Fixes in order of time, one per time. */
function fixesOf({ header, rows }: Csv): Fix[] {
  const byTime = new Map<number, Fix>();
  for (const cells of rows) {
    const value = (name: string) => {
      const cell = cells[header.indexOf(name)];
      return cell ? Number(cell) : Number.NaN;
    };
    const capturedAtMs = value("t_ms");
    if (byTime.has(capturedAtMs) || Number.isNaN(value("lat"))) continue;
    byTime.set(capturedAtMs, {
      seq: byTime.size,
      capturedAtMs,
      latDeg: value("lat"),
      lonDeg: value("lon"),
      accuracyM: value("accuracy_m"),
      speedMps: value("speed_mps"),
      headingDeg: value("heading_deg"),
      altitudeM: Number.NaN,
      source: "gnss",
      mock: false,
    });
  }
  return [...byTime.values()].sort((a, b) => a.capturedAtMs - b.capturedAtMs);
}

const timesOf = (fixes: Fix[]) => Float64Array.from(fixes, (fix) => fix.capturedAtMs);

describe.skipIf(!existsSync(TRACES))(
  "the smoother on recorded drives with their truth (BIMRIDE_TRACES)",
  () => {
    type Place = [number, number, number];

    /** The truth at a time, interpolated as the scoring script does: not across holes of more than 1.5 s. */
    function truthAt(truth: Place[], atMs: number): [number, number] | undefined {
      let low = 0;
      let high = truth.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (truth[middle]![0] < atMs) low = middle + 1;
        else high = middle;
      }
      const after = truth[low];
      const before = truth[low - 1];
      if (after?.[0] === atMs) return [after[1], after[2]];
      if (!after || !before || after[0] - before[0] > 1500) return undefined;
      const share = (atMs - before[0]) / (after[0] - before[0]);
      return [before[1] + share * (after[1] - before[1]), before[2] + share * (after[2] - before[2])];
    }

    /** Root mean square errors in metres, raw and smoothed. */
    function errorsOf(name: string, csv: Csv): { rawM: number; smoothM: number } {
      const truth = read(`${name}.truth`).rows.map((cells) => cells.map(Number) as Place);
      const fixes = fixesOf(csv);
      const track = smooth(fixes, timesOf(fixes));
      let [n, raw, smoothed] = [0, 0, 0];
      for (const [i, fix] of fixes.entries()) {
        const place = truthAt(truth, fix.capturedAtMs);
        if (!place) continue;
        n++;
        raw += distanceM(...place, fix.latDeg, fix.lonDeg) ** 2;
        smoothed += distanceM(...place, track.latDeg[i]!, track.lonDeg[i]!) ** 2;
      }
      return { rawM: Math.sqrt(raw / n), smoothM: Math.sqrt(smoothed / n) };
    }

    it.each(PHONES)("%s: untouched it is not worse than raw", (name) => {
      for (const everyS of [1, 4]) {
        const { rawM, smoothM } = errorsOf(name, thinned(read(name), everyS));
        expect(smoothM).toBeLessThanOrEqual(1.05 * rawM);
      }
    });

    it.each(PHONES)("%s: with dirt it is near the clean drive", (name) => {
      for (const everyS of [1, 4]) {
        const csv = thinned(read(name), everyS);
        const cleanM = errorsOf(name, csv).rawM;
        for (const seed of [11, 12, 13]) {
          const after = (kind: "jumps" | "noise" | "bias" | "drift") =>
            errorsOf(name, dirty(csv, kind, seed).csv).smoothM;
          expect(after("jumps")).toBeLessThan(cleanM + 0.2);
          expect(after("noise")).toBeLessThan(everyS === 1 ? 3.5 : 5.5);
          expect(after("bias")).toBeLessThan(10);
          expect(after("drift")).toBeLessThan(cleanM + 2);
        }
      }
    });
  },
);

describe.skipIf(!existsSync(TRACES))("phases on recorded drives (BIMRIDE_TRACES)", () => {
  type Stand = { fromMs: number; toMs: number; latDeg: number; lonDeg: number };

  /** Where the car stood for `leastS`, seen without holes: by its speed, or within 5 m where there is none. */
  function standsOf(fixes: Fix[], leastS: number): Stand[] {
    const stands: Stand[] = [];
    let first = 0;
    const still = (from: Fix, fix: Fix) =>
      (Number.isNaN(fix.speedMps) || fix.speedMps < 0.3) &&
      distanceM(from.latDeg, from.lonDeg, fix.latDeg, fix.lonDeg) < 5;
    for (let i = 1; i <= fixes.length; i++) {
      const fix = fixes[i];
      const unbroken = fix && fix.capturedAtMs - fixes[i - 1]!.capturedAtMs < 10_000;
      if (unbroken && still(fixes[first]!, fix)) continue;
      const [from, to] = [fixes[first]!, fixes[i - 1]!];
      const { latDeg, lonDeg } = to;
      if (to.capturedAtMs - from.capturedAtMs >= 1000 * leastS)
        stands.push({ fromMs: from.capturedAtMs, toMs: to.capturedAtMs, latDeg, lonDeg });
      first = i;
    }
    return stands;
  }

  function detect(fixes: Fix[], pickup: Stand, dropoff: Stand): (PhaseChange & { foundAtMs: number })[] {
    const waypoint = (kind: "pickup" | "dropoff", { latDeg, lonDeg }: Stand) => {
      // The pin is at the house, 15 m off the road.
      return { kind, position: destination(latDeg, lonDeg, 45, 15), riderId: "", label: "" };
    };
    const fromMs = fixes[0]!.capturedAtMs;
    let trip = {
      tripId: "trip",
      generation: 1,
      version: 1,
      status: "ENROUTE_TO_PICKUP",
      statusAtMs: fromMs,
      waypointIndex: 0,
      driverId: "driver",
      waypoints: [waypoint("pickup", pickup), waypoint("dropoff", dropoff)],
      plannedPath: [],
      assignments: [{ driverId: "driver", fromMs, toMs: 0 }],
    } as unknown as Trip;
    const state = createPhaseState();
    const found = [];
    for (const fix of fixes) {
      const change = detectPhase(state, trip, { ...fix, outlier: false, atMs: fix.capturedAtMs });
      if (!change) continue;
      found.push({ ...change, foundAtMs: fix.capturedAtMs });
      trip = { ...trip, status: change.status, waypointIndex: change.waypointIndex, statusAtMs: change.atMs };
    }
    return found;
  }

  const elsewhere = ({ latDeg, lonDeg }: Stand) => destination(latDeg, lonDeg, 0, 100_000);
  const TRACKS = ["01", "06", "10", "17", "18", "24", "30"].map((number) => `kubicka/track-${number}`);

  /** Stops that are the first visit to their place: the car was not near before it came to stop. */
  function firstVisits(fixes: Fix[], stands: Stand[]): Stand[] {
    return stands.filter(
      (stand) =>
        !fixes.some(
          (fix) =>
            fix.capturedAtMs < stand.fromMs - 90_000 &&
            distanceM(stand.latDeg, stand.lonDeg, fix.latDeg, fix.lonDeg) < 200,
        ),
    );
  }

  it.each(
    [...PHONES, "barefoot/munich-1s", ...TRACKS].flatMap((name) =>
      [1, 4].map((everyS) => [name, everyS] as const),
    ),
  )("%s every %d s: real stops are found where they were, and in time", (name, everyS) => {
    const all = fixesOf(read(name));
    const fixes = fixesOf(thinned(read(name), everyS));
    const stops = firstVisits(all, standsOf(all, 12));
    const delaysS: number[] = [];
    let [missed, unfinished] = [0, 0];
    for (const [i, stop] of stops.entries()) {
      const next = stops
        .slice(i + 1)
        .find((later) => distanceM(stop.latDeg, stop.lonDeg, later.latDeg, later.lonDeg) > 400);
      const found = detect(fixes, stop, next ?? { ...stop, ...elsewhere(stop) });
      const arrived = found.find((change) => change.status === "ARRIVED_AT_PICKUP");
      if (!arrived || arrived.atMs > stop.toMs) missed++;
      else delaysS.push((arrived.foundAtMs - stop.fromMs) / 1000);
      if (next && !found.some((change) => change.status === "ARRIVED_AT_DROPOFF" && change.atMs <= next.toMs))
        unfinished++;
    }
    delaysS.sort((a, b) => a - b);
    expect(stops.length).toBeGreaterThan(0);
    expect(missed).toBe(0);
    expect(unfinished).toBe(0);
    expect(delaysS.at(-1)).toBeLessThan(30);
  });

  it.each(PHONES.flatMap((name) => [1, 4].map((everyS) => [name, everyS] as const)))(
    "%s every %d s: no stop is invented where the car drove by",
    (name, everyS) => {
      const all = fixesOf(read(name));
      const fixes = fixesOf(thinned(read(name), everyS));
      const slow = all.filter((fix) => fix.speedMps < 3);
      let tried = 0;
      for (let i = 60; i < all.length; i += 10) {
        const { latDeg, lonDeg, capturedAtMs } = all[i]!;
        const near = (fix: Fix) => distanceM(latDeg, lonDeg, fix.latDeg, fix.lonDeg) < 100;
        if (slow.some(near)) continue;
        tried++;
        const place: Stand = { fromMs: capturedAtMs, toMs: capturedAtMs, latDeg, lonDeg };
        const found = detect(fixes, place, { ...place, ...elsewhere(place) });
        expect(found.filter((change) => change.status.startsWith("ARRIVED"))).toEqual([]);
      }
      expect(tried).toBeGreaterThan(20);
    },
  );
});
