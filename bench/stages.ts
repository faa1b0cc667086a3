import { DEFAULT_LIMITS } from "../internal/core/limits.ts";
import { decodeEntry, encodeEntry } from "../internal/eventlog/codec.ts";
import { PipelineOutput } from "../internal/pipeline/output.ts";
import { createPartitionState, type PipelineEntry, processEntry } from "../internal/pipeline/pipeline.ts";
import { atLeast, type CaseResult, median } from "./report.ts";
import { STAGES_LOAD, type StagesLoad, stagesLoad } from "./stages-load.ts";

const RUNS = 3;
const REACH = 500_000;
const SINGLE_FIXES = { ...STAGES_LOAD, fixesPerBatch: 1, intervalS: 4 };
const ENTRIES_AT_ONCE = 8;
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

type Measured = {
  fixesPerSecond: number;
  cpuNsPerFix: number;
  offered: number;
  outputs: Counts;
  rates: number[];
};

/**
 * The pure stages on one core, dedupe to phase, on a fleet's decoded entries. Outputs are counted, nothing is stored. The
 * target is for phones that send what they captured every second in batches of four; beside it, every fix alone, where
 * each one has to fetch its car's state from memory.
 */
export async function stages(args: { seconds: number }, log: (line: string) => void): Promise<CaseResult> {
  const startedMs = performance.now();
  const batches = measure(STAGES_LOAD, args.seconds, log);
  const single = measure(SINGLE_FIXES, args.seconds, log);
  return {
    args: { ...STAGES_LOAD, seconds: args.seconds },
    seed: STAGES_LOAD.seed,
    runs: RUNS,
    durationS: Math.round((performance.now() - startedMs) / 1000),
    results: { ...batches, single: { ...single, fixesPerBatch: SINGLE_FIXES.fixesPerBatch } },
    targets: [atLeast("fixesPerSecond", REACH, batches.fixesPerSecond)],
  };
}

function measure(load: Readonly<StagesLoad>, seconds: number, log: (line: string) => void): Measured {
  const { entries, fixes, noise } = stagesLoad(load);
  const bodies = entries.map(({ records }) =>
    encodeEntry({ region: "eu", traceparent: "", records: [...records] }),
  );
  if (noise !== "recorded") log("the recorded drives are not at hand: noise is made up");
  log(`${fixes} fixes in batches of ${load.fixesPerBatch}, ${entries.length} entries; warming up`);
  const outputs = pass(bodies).counts;
  pass(bodies);
  const rates: number[] = [];
  const cpuNs: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    let [processed, tookMs, cpuMs] = [0, 0, 0];
    while (tookMs < (seconds * 1000) / RUNS) {
      const done = pass(bodies);
      tookMs += done.tookMs;
      cpuMs += done.cpuMs;
      processed += fixes;
    }
    rates.push(Math.round((processed * 1000) / tookMs));
    cpuNs.push(Math.round((cpuMs * 1e6) / processed));
    log(`run ${run + 1}: ${rates.at(-1)} fixes/s, ${cpuNs.at(-1)} ns of CPU each`);
  }
  return { fixesPerSecond: median(rates), cpuNsPerFix: median(cpuNs), offered: fixes, outputs, rates };
}

/**
 * All entries through a fresh state. As in the river, entries are decoded a few at a time and go through the stages while
 * they are fresh in the processor's cache; only the stages are timed.
 */
function pass(bodies: readonly Uint8Array[]): { tookMs: number; cpuMs: number; counts: Counts } {
  const counts: Counts = { fixes: 0, late: 0, outliers: 0, changes: 0, detections: 0, parties: 0 };
  const state = createPartitionState(0);
  const out = new PipelineOutput();
  let [tookMs, cpuUs] = [0, 0];
  for (let from = 0; from < bodies.length; from += ENTRIES_AT_ONCE) {
    const entries = bodies.slice(from, from + ENTRIES_AT_ONCE).map((body, i): PipelineEntry => {
      const { records } = decodeEntry(body);
      return { sequence: from + i + 1, loggedAtMs: records.at(-1)!.receivedAtMs, records };
    });
    const startedMs = performance.now();
    const before = process.threadCpuUsage();
    for (const entry of entries) {
      processEntry(state, entry, LIMITS, out);
      count(out, counts);
      out.clear();
    }
    const { user, system } = process.threadCpuUsage(before);
    cpuUs += user + system;
    tookMs += performance.now() - startedMs;
  }
  return { tookMs, cpuMs: cpuUs / 1000, counts };
}

function count(out: PipelineOutput, counts: Counts): void {
  counts.fixes += out.fixes.length;
  for (const fix of out.fixes) {
    if (fix.disposition === "late") counts.late++;
    if (fix.outlier) counts.outliers++;
  }
  counts.changes += out.changes.length;
  counts.detections += out.detections.length;
  counts.parties += out.parties.length;
}
