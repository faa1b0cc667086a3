/**
 * Writes examples/drive.csv, drive.route.csv and drive.truth.csv: a synthetic drive in the demo city.
 *
 *   node scripts/city/example-drive.ts
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { CarPhase } from "../../demo/car.ts";
import { createFleet } from "../../demo/fleet.ts";
import { type RoadGraph, readRoadGraph } from "../../demo/road-graph.ts";
import type { Fix } from "../../internal/core/fix.ts";
import type { LatLon } from "../../internal/core/geo.ts";

/** Chosen for a drive of a quarter of an hour with a few jumps and a stretch without signal. */
const SEED = 32;
const START_MS = Date.UTC(2026, 4, 4, 8, 0, 0);
const INTERVAL_MS = 1000;
const PARKED_FIRST_MS = 10_000;
const PARKED_LAST_MS = 10_000;
const LONGEST_MS = 3_600_000;
/** The car's phase as a trip status; a car that is free has none. */
const LABELS: Partial<Record<CarPhase, string>> = {
  to_pickup: "ENROUTE_TO_PICKUP",
  at_pickup: "ARRIVED_AT_PICKUP",
  to_dropoff: "ENROUTE_TO_DROPOFF",
  at_dropoff: "ARRIVED_AT_DROPOFF",
};

/** The files by name. The same on every machine. Throws when the drive does not come to its end within an hour. */
export function exampleDrive(graph: RoadGraph, seed = SEED): Record<string, string> {
  const settings = {
    fixIntervalMs: INTERVAL_MS,
    offlineEveryS: Number.POSITIVE_INFINITY,
    wrongClocks: false,
  };
  const fleet = createFleet({ seed, cars: 1, graph, startMs: START_MS, ...settings });
  const driverId = fleet.driverIds[0]!;
  const drive = ["t_ms,lat,lon,speed_mps,heading_deg,accuracy_m,label"];
  const truth = ["t_ms,lat,lon"];
  const route = ["lat,lon,part"];
  let endMs = START_MS + LONGEST_MS;
  for (let nowMs = START_MS; nowMs <= endMs; nowMs += INTERVAL_MS) {
    const fixes = fleet.advance(nowMs).flatMap((output) => output.fixes);
    const car = fleet.car(driverId);
    truth.push(`${nowMs},${place(car)}`);
    for (const fix of fixes) drive.push(fixRow(fix, LABELS[car.phase] ?? ""));
    if (nowMs === START_MS + PARKED_FIRST_MS) {
      const { pickup, dropoff } = fleet.randomTripRequest();
      for (const point of fleet.plan(driverId, pickup, dropoff).plannedPath) route.push(`${place(point)},0`);
    }
    if (fleet.events().some((event) => event.phase === "at_dropoff")) endMs = nowMs + PARKED_LAST_MS;
  }
  if (endMs === START_MS + LONGEST_MS) throw new Error("the drive takes too long");
  return {
    "drive.csv": `${drive.join("\n")}\n`,
    "drive.truth.csv": `${truth.join("\n")}\n`,
    "drive.route.csv": `${route.join("\n")}\n`,
  };
}

function place({ latDeg, lonDeg }: LatLon): string {
  return `${latDeg.toFixed(7)},${lonDeg.toFixed(7)}`;
}

function fixRow(fix: Fix, label: string): string {
  const heading = Number.isNaN(fix.headingDeg) ? "" : fix.headingDeg;
  return `${fix.capturedAtMs},${place(fix)},${fix.speedMps},${heading},${fix.accuracyM},${label}`;
}

if (import.meta.main) {
  for (const [name, text] of Object.entries(exampleDrive(await readRoadGraph()))) {
    writeFileSync(fileURLToPath(new URL(`../../examples/${name}`, import.meta.url)), text);
    console.log(`examples/${name}: ${text.length} bytes`);
  }
}
