import { cpus, totalmem } from "node:os";

/** A number to reach, and what was got. `reach` is a maximum, or a minimum when `atLeast` is set. */
export type Target = { name: string; reach: number; got: number; ok: boolean };

export type BenchReport = {
  schema: "bimride.bench/1";
  case: string;
  args: Record<string, unknown>;
  machine: { cpu: string; cores: number; memGiB: number };
  versions: Record<string, string>;
  seed: number;
  runs: number;
  durationS: number;
  results: Record<string, unknown>;
  targets: Target[];
};

/** What a case hands over. */
export type CaseResult = Pick<BenchReport, "args" | "seed" | "runs" | "durationS" | "results" | "targets"> & {
  /** Of the engines that took part, beside Node's. */
  versions?: Record<string, string>;
};

/** What it was measured on. */
export function machine(): BenchReport["machine"] {
  return {
    cpu: cpus()[0]?.model ?? "",
    cores: cpus().length,
    memGiB: Math.round(totalmem() / 2 ** 30),
  };
}

export function report(name: string, result: CaseResult): BenchReport {
  return {
    schema: "bimride.bench/1",
    case: name,
    machine: machine(),
    ...result,
    versions: { node: process.versions.node, ...result.versions },
  };
}

export function atMost(name: string, reach: number, got: number): Target {
  return { name, reach, got, ok: got <= reach };
}

export function atLeast(name: string, reach: number, got: number): Target {
  return { name, reach, got, ok: got >= reach };
}

export type Quantiles = { n: number; p50: number; p95: number; p99: number; max: number };

/** Quantiles by the nearest rank; zeros when there is nothing. */
export function quantiles(values: readonly number[]): Quantiles {
  const sorted = Float64Array.from(values).sort();
  const at = (p: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? 0);
  return { n: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
