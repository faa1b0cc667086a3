import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Fix } from "../internal/core/fix.ts";
import { destination, type LatLon, METRES_PER_DEGREE } from "../internal/core/geo.ts";
import type { Trip } from "../internal/core/trip.ts";
import type { LogRecord } from "../internal/eventlog/record.ts";
import type { PipelineEntry } from "../internal/pipeline/pipeline.ts";
import { parseCsv, seededRandom } from "./dirt.ts";
import { tracesFolder } from "./drives/score.ts";

/** What a fleet sends. Shares are of the fixes. */
export type StagesLoad = {
  parties: number;
  onTripShare: number;
  pathPoints: number;
  fixesPerParty: number;
  intervalS: number;
  lateShare: number;
  doubledShare: number;
  /** Fixes that a phone sends together. */
  fixesPerBatch: number;
  /** Such batches that a gateway coalesces into one entry. */
  batchesPerEntry: number;
  seed: number;
};

export const STAGES_LOAD: Readonly<StagesLoad> = Object.freeze({
  parties: 1_000,
  onTripShare: 0.7,
  pathPoints: 200,
  fixesPerParty: 160,
  intervalS: 1,
  lateShare: 0.02,
  doubledShare: 0.02,
  fixesPerBatch: 4,
  batchesPerEntry: 3,
  seed: 1,
});

type Arrival = { atMs: number; record: LogRecord };
type Noise = { eastM: Float64Array; northM: Float64Array; from: "recorded" | "made" };

const START_MS = Date.UTC(2026, 0, 5, 8);
const CENTRE: LatLon = { latDeg: 57.7, lonDeg: 11.97 };
/** A receipt follows its capture by this much, milliseconds. */
const RECEIPT_MS = 120;

/** The entries of one partition that a fleet on the move fills, trips first; and where its noise comes from. */
export function stagesLoad(load: Readonly<StagesLoad>): {
  entries: PipelineEntry[];
  fixes: number;
  noise: string;
} {
  const random = seededRandom(load.seed);
  const noise = recordedNoise() ?? madeNoise(random);
  const trips: Arrival[] = [];
  const arrivals: Arrival[] = [];
  for (let n = 0; n < load.parties; n++) {
    const path = roadAhead(random, load.pathPoints);
    if (n < load.parties * load.onTripShare) trips.push({ atMs: START_MS, record: tripRecord(n, path) });
    drive(n, path, load, random, noise, arrivals);
  }
  arrivals.sort((a, b) => a.atMs - b.atMs);
  const entries: PipelineEntry[] = [];
  const all = [...trips, ...arrivals];
  for (let i = 0; i < all.length; i += load.batchesPerEntry) {
    const part = all.slice(i, i + load.batchesPerEntry);
    entries.push({
      sequence: entries.length + 1,
      loggedAtMs: part.at(-1)!.atMs,
      records: part.map((arrival) => arrival.record),
    });
  }
  const fixes = arrivals.reduce(
    (sum, { record }) => sum + (record.kind === "fixBatch" ? record.fixes.length : 0),
    0,
  );
  return { entries, fixes, noise: noise.from };
}

/** A road of points about 25 m apart with bends and corners. */
function roadAhead(random: () => number, points: number): LatLon[] {
  let heading = 360 * random();
  let at = destination(CENTRE.latDeg, CENTRE.lonDeg, 360 * random(), 8_000 * random());
  const path = [at];
  while (path.length < points) {
    heading += random() < 0.06 ? (random() < 0.5 ? 90 : -90) : 16 * (random() - 0.5);
    at = destination(at.latDeg, at.lonDeg, heading, 25);
    path.push(at);
  }
  return path;
}

function drive(
  n: number,
  path: readonly LatLon[],
  load: Readonly<StagesLoad>,
  random: () => number,
  noise: Noise,
  into: Arrival[],
): void {
  const offsetMs = Math.floor(1000 * load.intervalS * load.fixesPerBatch * random());
  const paceMps = 6 + 8 * random();
  const shift = Math.floor(noise.eastM.length * random());
  const standS = { every: 160, for: 32 };
  let place = 0;
  let batch: Fix[] = [];
  for (let seq = 0; seq < load.fixesPerParty; seq++) {
    const stands = (seq * load.intervalS) % standS.every < standS.for;
    if (!stands) place += (paceMps * load.intervalS) / 25;
    const capturedAtMs = START_MS + 1000 + offsetMs + seq * load.intervalS * 1000;
    const at = (shift + seq * load.intervalS) % noise.eastM.length;
    const fix = fixOn(path, place, stands ? 0 : paceMps, seq, capturedAtMs);
    fix.latDeg += noise.northM[at]! / METRES_PER_DEGREE;
    fix.lonDeg += noise.eastM[at]! / (METRES_PER_DEGREE * 0.534);
    const dueMs = capturedAtMs + RECEIPT_MS;
    if (random() < load.lateShare) into.push(sent(n, [fix], Math.round(dueMs + 1000 + 59_000 * random())));
    else batch.push(fix);
    if (random() < load.doubledShare) into.push(sent(n, [fix], dueMs + 4_900));
    if (batch.length < load.fixesPerBatch && seq + 1 < load.fixesPerParty) continue;
    if (batch.length > 0) into.push(sent(n, batch, dueMs));
    batch = [];
  }
}

function sent(n: number, fixes: Fix[], receivedAtMs: number): Arrival {
  const record = {
    kind: "fixBatch" as const,
    party: { kind: "driver" as const, id: `driver-${n}` },
    sessionId: `session-${String(n).padStart(8, "0")}`,
    sessionEpoch: START_MS,
    receivedAtMs,
    clockOffsetMs: 0,
    fixes,
  };
  return { atMs: receivedAtMs, record };
}

/** A fix at a place of the path, counted in points; past the end it goes back the same way. */
function fixOn(
  path: readonly LatLon[],
  place: number,
  speedMps: number,
  seq: number,
  capturedAtMs: number,
): Fix {
  const last = path.length - 1;
  const folded = place % (2 * last);
  const along = Math.min(last - 1e-9, folded > last ? 2 * last - folded : folded);
  const i = Math.floor(along);
  const [a, b] = [path[i]!, path[i + 1]!];
  const east = (b.lonDeg - a.lonDeg) * 0.534;
  const north = b.latDeg - a.latDeg;
  const course = (Math.atan2(east, north) * 180) / Math.PI + (folded > last ? 180 : 0);
  return {
    seq,
    capturedAtMs,
    latDeg: a.latDeg + (along - i) * (b.latDeg - a.latDeg),
    lonDeg: a.lonDeg + (along - i) * (b.lonDeg - a.lonDeg),
    accuracyM: 4,
    speedMps,
    headingDeg: speedMps > 0 ? (course + 360) % 360 : Number.NaN,
    altitudeM: Number.NaN,
    source: "gnss",
    mock: false,
  };
}

function tripRecord(n: number, path: readonly LatLon[]): LogRecord {
  const [pickup, dropoff] = [path[Math.floor(path.length / 8)]!, path.at(-1)!];
  const trip: Trip = {
    tripId: `eu-${String(n).padStart(26, "0")}`,
    region: "eu",
    type: "exclusive",
    version: 1,
    generation: 1,
    status: "NEW",
    statusSource: "explicit",
    statusAtMs: START_MS,
    waypointIndex: 0,
    riderIds: [`rider-${n}`],
    sharingRiderIds: [],
    driverId: `driver-${n}`,
    waypoints: [
      { kind: "pickup", position: pickup, riderId: "", label: "" },
      { kind: "dropoff", position: dropoff, riderId: "", label: "" },
    ],
    plannedPath: [...path],
    createdAtMs: START_MS,
    updatedAtMs: START_MS,
    assignments: [{ driverId: `driver-${n}`, fromMs: START_MS, toMs: 0 }],
    endedAtMs: 0,
    cancelReason: "",
  };
  return { kind: "tripChange", receivedAtMs: START_MS, trip };
}

/** The errors of a recorded phone second by second; undefined when the recordings are not at hand. */
function recordedNoise(): Noise | undefined {
  const folder = tracesFolder();
  const file = folder && join(folder, "gsdc-mtv", "20200514-pixel4xl.csv");
  if (!file || !existsSync(file)) return undefined;
  const places = (text: string) =>
    new Map(parseCsv(text).rows.map(([t, lat, lon]) => [Number(t), { lat: Number(lat), lon: Number(lon) }]));
  const truth = places(readFileSync(file.replace(".csv", ".truth.csv"), "utf8"));
  const [eastM, northM]: [number[], number[]] = [[], []];
  for (const [t, fix] of places(readFileSync(file, "utf8"))) {
    const right = truth.get(t);
    if (!right) continue;
    eastM.push((fix.lon - right.lon) * METRES_PER_DEGREE * Math.cos((right.lat * Math.PI) / 180));
    northM.push((fix.lat - right.lat) * METRES_PER_DEGREE);
  }
  return { eastM: Float64Array.from(eastM), northM: Float64Array.from(northM), from: "recorded" };
}

/** Slow drift like a phone's: 1.5 m, forgotten to 1/e in 30 s. */
function madeNoise(random: () => number): Noise {
  const column = () => {
    const keep = Math.exp(-1 / 30);
    let drift = 0;
    return Float64Array.from({ length: 3_600 }, () => {
      drift = keep * drift + Math.sqrt(1 - keep * keep) * 1.5 * (random() + random() + random() - 1.5) * 2;
      return drift;
    });
  };
  return { eastM: column(), northM: column(), from: "made" };
}
