import { DEFAULT_LIMITS } from "../internal/core/limits.ts";
import { PipelineOutput } from "../internal/pipeline/output.ts";
import { createPartitionState, type PipelineEntry, processEntry } from "../internal/pipeline/pipeline.ts";
import { atLeast, type CaseResult, median } from "./report.ts";
import { STAGES_LOAD, stagesLoad } from "./stages-load.ts";

const RUNS = 3;
const REACH = 500_000;
/** One partition has the whole fleet, so that every trip lives in it. */
const LIMITS = { ...DEFAULT_LIMITS, partitions: 1 };

type Counts = {
  fixes: number;
  late: number;
  outliers: number;
  changes: number;
  detections: number;
  parties: number;
};

/** The pure stages on one core, dedupe to phase, on a fleet's decoded entries. Outputs are counted, nothing is stored. */
export async function stages(args: { seconds: number }, log: (line: string) => void): Promise<CaseResult> {
  const { entries, fixes, noise } = stagesLoad(STAGES_LOAD);
  if (noise !== "recorded") log("the recorded drives are not at hand: noise is made up");
  log(`${fixes} fixes in ${entries.length} entries; warming up`);
  const counts = pass(entries).counts;
  const rates: number[] = [];
  let elapsedMs = 0;
  for (let run = 0; run < RUNS; run++) {
    let [processed, tookMs] = [0, 0];
    while (tookMs < (args.seconds * 1000) / RUNS) {
      tookMs += pass(entries).tookMs;
      processed += fixes;
    }
    elapsedMs += tookMs;
    rates.push(Math.round((processed * 1000) / tookMs));
    log(`run ${run + 1}: ${rates.at(-1)} fixes/s`);
  }
  const fixesPerSecond = median(rates);
  return {
    args: { ...STAGES_LOAD, seconds: args.seconds, noise },
    seed: STAGES_LOAD.seed,
    runs: RUNS,
    durationS: Math.round(elapsedMs / 1000),
    results: {
      fixesPerSecond,
      nsPerFix: Math.round(1e9 / fixesPerSecond),
      offered: fixes,
      outputs: counts,
      rates,
    },
    targets: [atLeast("fixesPerSecond", REACH, fixesPerSecond)],
  };
}

/** All entries through a fresh state. */
function pass(entries: readonly PipelineEntry[]): { tookMs: number; counts: Counts } {
  const counts: Counts = { fixes: 0, late: 0, outliers: 0, changes: 0, detections: 0, parties: 0 };
  const state = createPartitionState(0);
  const out = new PipelineOutput();
  const startedMs = performance.now();
  for (const entry of entries) {
    processEntry(state, entry, LIMITS, out);
    counts.fixes += out.fixes.length;
    for (const fix of out.fixes) {
      if (fix.disposition === "late") counts.late++;
      if (fix.outlier) counts.outliers++;
    }
    counts.changes += out.changes.length;
    counts.detections += out.detections.length;
    counts.parties += out.parties.length;
    out.clear();
  }
  return { tookMs: performance.now() - startedMs, counts };
}
