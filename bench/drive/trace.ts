import { readFileSync } from "node:fs";
import type { Fix } from "../../internal/core/fix.ts";
import type { LatLon } from "../../internal/core/geo.ts";

/** One row of a recorded drive in the order of the file. */
export type TraceRow = {
  /** As recorded. */
  tMs: number;
  /** As the device sends it: seq by capture time, capture time moved so that the drive starts now. */
  fix: Fix;
};

export type Trace = {
  rows: TraceRow[];
  /** Recorded time of a moved one. */
  recordedAt(capturedAtMs: number): number | undefined;
};

export type TraceOptions = {
  /** When the drive is to start, milliseconds since 1970. */
  startMs: number;
  /** Keep one fix per so many seconds; 0 keeps all. */
  everyS: number;
  /** Longer pauses are shortened to this; Infinity keeps them. */
  maxPauseMs: number;
};

/** Slack of the thinning, as in the scoring script: 1 Hz clocks are not exact. */
const THIN_SLACK_MS = 50;

/**
 * Reads a recorded drive: columns t_ms,lat,lon and, where they are, speed_mps,heading_deg,accuracy_m. Rows stand in the
 * order in which they arrived; a device numbers its fixes at capture, so seq follows t_ms, and a row that repeats
 * another to the letter is the same fix sent twice. Rows without a position are left out.
 */
export function readTrace(path: string, options: TraceOptions): Trace {
  const records = thin(readCsv(path, ["t_ms", "lat", "lon"]), options.everyS);
  const times = [...new Set(records.map((record) => Math.round(Number(record.t_ms))))].sort((a, b) => a - b);
  const moved = new Map<number, number>();
  let at = options.startMs;
  times.forEach((time, i) => {
    at += i === 0 ? 0 : Math.min(time - times[i - 1]!, options.maxPauseMs);
    moved.set(time, at);
  });
  const back = new Map([...moved].map(([time, movedTo]) => [movedTo, time]));
  const seqs = numberByCapture(records);
  const rows = records.map((record) => {
    const tMs = Math.round(Number(record.t_ms));
    return { tMs, fix: toFix(record, seqs.get(identity(record))!, moved.get(tMs)!) };
  });
  return { rows, recordedAt: (capturedAtMs) => back.get(capturedAtMs) };
}

/** The points of a `lat,lon,part` file in order, parts joined; at most `limit`, evenly thinned. */
export function readPath(path: string, limit: number): LatLon[] {
  const points = readCsv(path, ["lat", "lon"]).map((record) => ({
    latDeg: Number(record.lat),
    lonDeg: Number(record.lon),
  }));
  if (points.length <= limit) return points;
  return Array.from(
    { length: limit },
    (_, i) => points[Math.round((i * (points.length - 1)) / (limit - 1))]!,
  );
}

/** Cells by column name. */
export type CsvRecord = Record<string, string>;

/** Plain CSV with a header line and no quotes, as the traces are. Throws when a needed column is missing. */
export function readCsv(path: string, needed: readonly string[]): CsvRecord[] {
  const [header = "", ...lines] = readFileSync(path, "utf8").split(/\r?\n/);
  const names = header.split(",");
  const missing = needed.filter((name) => !names.includes(name));
  if (missing.length > 0) throw new Error(`${path}: no column ${missing.join(", ")}`);
  return lines
    .filter((line) => line !== "")
    .map((line) => Object.fromEntries(line.split(",").map((cell, i) => [names[i] ?? `column${i}`, cell])))
    .filter((record) => needed.every((name) => record[name]));
}

function thin(records: CsvRecord[], everyS: number): CsvRecord[] {
  if (everyS <= 0) return records;
  let last: number | undefined;
  return records.filter((record) => {
    const time = Math.round(Number(record.t_ms));
    const keep =
      last === undefined || time - last >= everyS * 1000 - THIN_SLACK_MS || time < last - everyS * 1000;
    if (keep) last = time;
    return keep;
  });
}

function identity(record: CsvRecord): string {
  return `${record.t_ms},${record.lat},${record.lon},${record.speed_mps},${record.heading_deg},${record.accuracy_m}`;
}

function numberByCapture(records: readonly CsvRecord[]): Map<string, number> {
  const seqs = new Map<string, number>();
  const byTime = [...records].sort((a, b) => Number(a.t_ms) - Number(b.t_ms));
  for (const record of byTime) {
    const key = identity(record);
    if (!seqs.has(key)) seqs.set(key, seqs.size);
  }
  return seqs;
}

function toFix(record: CsvRecord, seq: number, capturedAtMs: number): Fix {
  const optional = (cell: string | undefined) => (cell ? Number(cell) : Number.NaN);
  return {
    seq,
    capturedAtMs,
    latDeg: Number(record.lat),
    lonDeg: Number(record.lon),
    accuracyM: optional(record.accuracy_m),
    speedMps: optional(record.speed_mps),
    headingDeg: optional(record.heading_deg),
    altitudeM: Number.NaN,
    source: "gnss",
    mock: false,
  };
}
