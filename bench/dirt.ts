/**
 * Plants the dirt of bad reception into a recorded drive: lost, doubled and late fixes always, and by kind jumps, white
 * noise, a slow bias or a creeping drift. Seeded: the same input, kind and seed give the same output everywhere.
 *
 *     node bench/dirt.ts --in X.csv --out Y.csv --kind noise --seed 7 [--every 4]
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { destination } from "../internal/core/geo.ts";

/** A trace as text cells: header names, then one array per fix. Columns that dirt doesn't touch stay as they are. */
export type Csv = { header: string[]; rows: string[][] };

/** base: lost, doubled, late. The others add to it: what their names say; noise and bias have jumps too. */
export const DIRT_KINDS = ["base", "jumps", "noise", "bias", "drift"] as const;
export type DirtKind = (typeof DIRT_KINDS)[number];

/** How much of everything; the defaults are those of the acceptance runs. */
export type DirtAmounts = {
  lostShare: number;
  doubledShare: number;
  lateShare: number;
  /** Late fixes arrive uniformly up to this much after their time, seconds. */
  lateMaxS: number;
  jumpShare: number;
  jumpMinM: number;
  jumpMaxM: number;
  /** No jumps in the first seconds of a drive. */
  jumpFreeS: number;
  /** White noise per axis, metres; also what the noisy fixes report as their accuracy. */
  noiseM: number;
  /** Slow bias, metres: root mean square of the distance. Also what its fixes report as their accuracy. */
  biasM: number;
  /** Time after which the bias has forgotten itself to 1/e, seconds. */
  biasTauS: number;
  driftM: number;
  driftS: number;
  /** Least time between two drifts, seconds; the start of each is drawn from there to twice that. */
  driftEveryS: number;
  /** What drifting drives report as their accuracy, metres; 0: the column stays as it is. */
  driftAccuracyM: number;
};

export const DIRT_AMOUNTS: Readonly<DirtAmounts> = Object.freeze({
  lostShare: 0.1,
  doubledShare: 0.03,
  lateShare: 0.05,
  lateMaxS: 60,
  jumpShare: 0.015,
  jumpMinM: 60,
  jumpMaxM: 300,
  jumpFreeS: 10,
  noiseM: 12,
  biasM: 12,
  biasTauS: 30,
  driftM: 75,
  driftS: 15,
  driftEveryS: 90,
  driftAccuracyM: 0,
});

/** A planted drift: device times of its first and last fix, milliseconds. */
export type DriftEpisode = { fromMs: number; toMs: number };

/** Random numbers 0…1 from a 32-bit seed (mulberry32, public domain, Tommy Ettinger). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Reads a CSV without quoted cells. */
export function parseCsv(text: string): Csv {
  const lines = text.split(/\r?\n/).filter((line) => line !== "");
  return { header: (lines[0] ?? "").split(","), rows: lines.slice(1).map((line) => line.split(",")) };
}

/** Inverse of {@link parseCsv}. */
export function formatCsv(csv: Csv): string {
  return `${[csv.header, ...csv.rows].map((cells) => cells.join(",")).join("\n")}\n`;
}

/** One fix per `everyS` seconds: the first, then the next at least that much later (0.05 s of slack). */
export function thinned(csv: Csv, everyS: number): Csv {
  const time = columnOf(csv, "t_ms");
  const spanMs = everyS * 1000;
  let last = Number.NaN;
  const rows = csv.rows.filter((cells) => {
    const t = Number(cells[time]);
    const keep = !(t - last < spanMs - 50) || t < last - spanMs;
    if (keep) last = t;
    return keep;
  });
  return { header: csv.header, rows };
}

/** The dirty drive, in the order in which its fixes arrive, and where drifts were planted. */
export function dirty(
  csv: Csv,
  kind: DirtKind,
  seed: number,
  amounts: Readonly<DirtAmounts> = DIRT_AMOUNTS,
): { csv: Csv; drifts: DriftEpisode[] } {
  const random = seededRandom(seed);
  const rows = csv.rows.map((cells) => [...cells]);
  const header = [...csv.header];
  const drive = driveOf(header, rows);
  const drifts = kind === "drift" ? plantDrift(drive, random, amounts) : [];
  if (kind === "noise") plantNoise(drive, random, amounts);
  if (kind === "bias") plantBias(drive, random, amounts);
  if (kind !== "base" && kind !== "drift") plantJumps(drive, random, amounts);
  return { csv: { header, rows: disturbedOrder(header, rows, random, amounts) }, drifts };
}

function columnOf(csv: { header: string[] }, name: string): number {
  const index = csv.header.indexOf(name);
  if (index < 0) throw new RangeError(`no column ${name}`);
  return index;
}

/** Two independent normal numbers (Box–Muller). */
function normalPair(random: () => number): [number, number] {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  const angle = 2 * Math.PI * random();
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

/** The rows of a drive with what planting needs: times, and a way to move a fix and to set its accuracy. */
type Drive = {
  rows: string[][];
  timeMs(cells: string[]): number;
  shift(cells: string[], bearingDeg: number, metres: number): void;
  report(cells: string[], accuracyM: number): void;
};

function driveOf(header: string[], rows: string[][]): Drive {
  const csv = { header };
  const [time, lat, lon] = [columnOf(csv, "t_ms"), columnOf(csv, "lat"), columnOf(csv, "lon")];
  let accuracy = header.indexOf("accuracy_m");
  return {
    rows,
    timeMs: (cells) => Number(cells[time]),
    shift(cells, bearingDeg, metres) {
      const moved = destination(Number(cells[lat]), Number(cells[lon]), bearingDeg, metres);
      cells[lat] = moved.latDeg.toFixed(9);
      cells[lon] = moved.lonDeg.toFixed(9);
    },
    report(cells, accuracyM) {
      if (accuracy < 0) accuracy = header.push("accuracy_m") - 1;
      cells[accuracy] = String(accuracyM);
    },
  };
}

function shiftXY(drive: Drive, cells: string[], eastM: number, northM: number): void {
  drive.shift(cells, (Math.atan2(eastM, northM) * 180) / Math.PI, Math.hypot(eastM, northM));
}

/** Single fixes far off. None in the first seconds: nobody can tell a drive that starts there from one that jumped. */
function plantJumps(drive: Drive, random: () => number, amounts: DirtAmounts): void {
  const fromMs = drive.timeMs(drive.rows[0] ?? []) + 1000 * amounts.jumpFreeS;
  for (const cells of drive.rows) {
    const jumps = random() < amounts.jumpShare;
    const [bearingDeg, far] = [360 * random(), random()];
    if (!jumps || drive.timeMs(cells) < fromMs) continue;
    drive.shift(cells, bearingDeg, amounts.jumpMinM + (amounts.jumpMaxM - amounts.jumpMinM) * far);
  }
}

function plantNoise(drive: Drive, random: () => number, { noiseM }: DirtAmounts): void {
  for (const cells of drive.rows) {
    const [east, north] = normalPair(random);
    shiftXY(drive, cells, noiseM * east, noiseM * north);
    drive.report(cells, noiseM);
  }
}

/** A first-order Gauss–Markov process per axis: wanders like multipath, with a fixed root mean square. */
function plantBias(drive: Drive, random: () => number, { biasM, biasTauS }: DirtAmounts): void {
  let [east, north] = normalPair(random);
  let last = drive.timeMs(drive.rows[0] ?? []);
  for (const cells of drive.rows) {
    const keep = Math.exp(-Math.abs(drive.timeMs(cells) - last) / (1000 * biasTauS));
    const fresh = normalPair(random);
    east = keep * east + Math.sqrt(1 - keep * keep) * fresh[0];
    north = keep * north + Math.sqrt(1 - keep * keep) * fresh[1];
    last = drive.timeMs(cells);
    shiftXY(drive, cells, east * biasM * Math.SQRT1_2, north * biasM * Math.SQRT1_2);
    drive.report(cells, biasM);
  }
}

/** Positions that creep away in a straight line and snap back, again and again, while speed and heading stay right. */
function plantDrift(drive: Drive, random: () => number, amounts: DirtAmounts): DriftEpisode[] {
  const episodes: DriftEpisode[] = [];
  const spanMs = amounts.driftS * 1000;
  let fromMs = drive.timeMs(drive.rows[0] ?? []) + 1000 * amounts.driftEveryS * (0.5 + random());
  let bearingDeg = 360 * random();
  for (const cells of drive.rows) {
    const t = drive.timeMs(cells);
    if (t > fromMs + spanMs) {
      fromMs += 1000 * amounts.driftEveryS * (1 + random());
      bearingDeg = 360 * random();
    }
    if (amounts.driftAccuracyM > 0) drive.report(cells, amounts.driftAccuracyM);
    if (t < fromMs || t > fromMs + spanMs) continue;
    drive.shift(cells, bearingDeg, (amounts.driftM * (t - fromMs)) / spanMs);
    const open = episodes.at(-1);
    if (open && open.fromMs >= fromMs) open.toMs = t;
    else episodes.push({ fromMs: t, toMs: t });
  }
  return episodes;
}

/** Loses, doubles and delays whole rows; the result is in the order of arrival. A doubled row arrives twice in a row. */
function disturbedOrder(
  header: string[],
  rows: string[][],
  random: () => number,
  amounts: DirtAmounts,
): string[][] {
  const time = columnOf({ header }, "t_ms");
  const arrivals: { atMs: number; cells: string[] }[] = [];
  for (const cells of rows) {
    if (random() < amounts.lostShare) continue;
    const late = random() < amounts.lateShare;
    const atMs = Number(cells[time]) + (late ? 1000 * amounts.lateMaxS * random() : 0);
    arrivals.push({ atMs, cells });
    if (random() < amounts.doubledShare) arrivals.push({ atMs, cells: [...cells] });
  }
  return arrivals.sort((a, b) => a.atMs - b.atMs).map((arrival) => arrival.cells);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      in: { type: "string" },
      out: { type: "string" },
      kind: { type: "string", default: "base" },
      seed: { type: "string", default: "1" },
      every: { type: "string" },
    },
  });
  const kind = DIRT_KINDS.find((name) => name === values.kind);
  if (!values.in || !values.out || !kind || !Number.isInteger(Number(values.seed))) {
    console.error(
      `usage: dirt.ts --in X.csv --out Y.csv --kind ${DIRT_KINDS.join("|")} --seed N [--every S]`,
    );
    process.exit(2);
  }
  const csv = parseCsv(readFileSync(values.in, "utf8"));
  const result = dirty(values.every ? thinned(csv, Number(values.every)) : csv, kind, Number(values.seed));
  writeFileSync(values.out, formatCsv(result.csv));
  console.error(`${csv.rows.length} fixes in, ${result.csv.rows.length} out, ${result.drifts.length} drifts`);
}
