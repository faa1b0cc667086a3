import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DirtKind, dirty, formatCsv, parseCsv, thinned } from "../dirt.ts";
import { driveFile } from "../drive/run.ts";
import { readCsv } from "../drive/trace.ts";
import { driftReturn } from "../drives/drift.ts";
import { jumps, placesOf, wanderMPerMin } from "../drives/marker.ts";
import { scorePosition, scoreRoute, tracesFolder } from "../drives/score.ts";
import { atLeast, atMost, type CaseResult, type Target } from "../report.ts";

export type DrivesArgs = { sets: string[]; intervalsS: number[]; dirt: DirtKind[]; seeds: number[] };

/** One drive through the whole river. Errors in metres; absent where the recording has no truth, path or speed. */
export type DriveRow = {
  set: string;
  trace: string;
  everyS: number;
  dirt: string;
  fixes: number;
  sharePublished: number;
  rawRmsM?: number;
  rmsM?: number;
  rawP95M?: number;
  p95M?: number;
  jumps: number;
  wanderMPerMin?: number;
  driftReturnM?: number;
};

/** Sets whose truth can't judge metres, as their SOURCE files say: reported for jumps and gaps. */
const NO_TARGET = new Set(["gsdc-sjc-wls", "comma2k19"]);
/** Dirt is planted where the truth is good to decimetres. */
const DIRT_SET = "gsdc-mtv";

/** Recorded drives through the whole river in one process, default settings, scored. */
export async function drives(args: DrivesArgs, log: (line: string) => void): Promise<CaseResult> {
  const traces = tracesFolder();
  if (!traces) throw new Error("the recorded drives are not at hand (BIMRIDE_TRACES)");
  const folder = mkdtempSync(join(tmpdir(), "bimride-drives-"));
  const rows: DriveRow[] = [];
  try {
    for (const set of args.sets) {
      const files = readdirSync(join(traces, set))
        .filter((name) => /^[^.]+\.csv$/.test(name))
        .sort();
      for (const file of files) {
        for (const everyS of args.intervalsS)
          rows.push(await one({ traces, folder, set, file, everyS }, log));
      }
    }
    for (const kind of args.dirt) {
      const files = readdirSync(join(traces, DIRT_SET))
        .filter((name) => /^[^.]+\.csv$/.test(name))
        .sort();
      for (const file of files) {
        for (const everyS of args.intervalsS) {
          for (const seed of args.seeds) {
            rows.push(await one({ traces, folder, set: DIRT_SET, file, everyS, dirt: { kind, seed } }, log));
          }
        }
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return {
    args,
    seed: args.seeds[0] ?? 1,
    runs: 1,
    durationS: 0,
    results: { rows },
    targets: rows.flatMap(targetsOf),
  };
}

type Job = {
  traces: string;
  folder: string;
  set: string;
  file: string;
  everyS: number;
  dirt?: { kind: DirtKind; seed: number };
};

async function one(job: Job, log: (line: string) => void): Promise<DriveRow> {
  const { traces, folder, set, file, everyS, dirt } = job;
  const path = join(traces, set, file);
  const recorded = parseCsv(readFileSync(path, "utf8"));
  const clean = everyS > 1 ? thinned(recorded, everyS) : recorded;
  const planted = dirt ? dirty(clean, dirt.kind, dirt.seed) : { csv: clean, drifts: [] };
  const sent = join(folder, "sent.csv");
  const out = join(folder, "out.csv");
  const cleanFile = join(folder, "clean.csv");
  writeFileSync(sent, formatCsv(planted.csv));
  writeFileSync(cleanFile, formatCsv(clean));
  await driveFile({ trace: sent, out, plan: "", everyS: 0, speed: "max", engines: "embedded" });
  const raw = placesOf(readCsv(sent, ["t_ms", "lat", "lon"]));
  const published = readCsv(out, ["t_ms"]);
  const marker = placesOf(published);
  const times = new Set(raw.map((place) => place.tMs));
  const shown = new Set(published.map((record) => Number(record.t_ms)));
  const wander = wanderMPerMin(raw, marker);
  const row: DriveRow = {
    set,
    trace: file.replace(".csv", ""),
    everyS,
    dirt: dirt ? `${dirt.kind} ${dirt.seed}` : "",
    fixes: raw.length,
    sharePublished: [...times].filter((time) => shown.has(time)).length / times.size,
    jumps: jumps(raw, marker),
    ...(wander.minutes > 0.5 && !dirt ? { wanderMPerMin: wander.mPerMin } : {}),
  };
  const truth = path.replace(".csv", ".truth.csv");
  const route = path.replace(".csv", ".route.csv");
  if (existsSync(truth)) {
    const scored = await scorePosition(truth, dirt ? cleanFile : sent, out);
    Object.assign(row, {
      rawRmsM: scored.raw.rms,
      rmsM: scored.track.rms,
      rawP95M: scored.raw.p95,
      p95M: scored.track.p95,
    });
    if (planted.drifts.length > 0) {
      row.driftReturnM = driftReturn(
        readCsv(truth, ["t_ms"]),
        readCsv(cleanFile, ["t_ms"]),
        marker,
        planted.drifts,
      );
    }
  } else if (existsSync(route)) {
    const [before, after] = [await scoreRoute(route, sent), await scoreRoute(route, out)];
    Object.assign(row, {
      rawRmsM: before.dist.rms,
      rmsM: after.dist.rms,
      rawP95M: before.dist.p95,
      p95M: after.dist.p95,
    });
  }
  log(JSON.stringify(row));
  return row;
}

function targetsOf(row: DriveRow): Target[] {
  const name = (what: string) =>
    `${row.set}/${row.trace} ${row.everyS} s ${row.dirt || "untouched"}: ${what}`;
  const { rawRmsM = 0, rmsM = 0, rawP95M = 0, p95M = 0 } = row;
  const targets = [atLeast(name("share published"), 0.97, row.sharePublished)];
  if (NO_TARGET.has(row.set)) return targets;
  const kind = row.dirt.split(" ")[0] as DirtKind | "";
  if (row.set === "kubicka") {
    targets.push(atMost(name("p95 to path"), 1.05 * rawP95M, p95M), atMost(name("jumps"), 0, row.jumps));
  }
  if (row.wanderMPerMin !== undefined) targets.push(atMost(name("wander per minute"), 3, row.wanderMPerMin));
  if (row.set !== DIRT_SET) return targets;
  if (kind === "") targets.push(atMost(name("RMS"), Math.max(1.05 * rawRmsM, rawRmsM + 0.3), rmsM));
  if (kind === "jumps") targets.push(atMost(name("RMS"), rawRmsM + 0.5, rmsM));
  if (kind === "noise") targets.push(atMost(name("RMS"), row.everyS > 1 ? 8 : 4.5, rmsM));
  if (kind === "bias" && row.everyS > 1) targets.push(atMost(name("RMS"), 11, rmsM));
  if (row.driftReturnM !== undefined)
    targets.push(atMost(name("error over raw at the third fix"), 5, row.driftReturnM));
  return targets;
}
