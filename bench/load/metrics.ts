import type { Quantiles } from "../report.ts";
import { pause, until } from "./pause.ts";
import type { Service } from "./service.ts";

const HOPS = "bimride_edge_hop_ms";
const TIMEOUT_MS = 2_000;
const PHASES_PATIENCE_MS = 300_000;
const LOOK_AGAIN_MS = 1_000;
const ENTRY_FIXES = "bimride_ingest_fixes_per_entry";

/** Samples of the Prometheus text format by `name{labels}`. */
export type Metrics = ReadonlyMap<string, number>;

/**
 * Waits until the phases that the pipeline detected when the cars began to drive are stored: all begin at once here, and
 * never in a service that runs.
 */
export async function untilPhasesAreStored(service: Pick<Service, "nodeUrls">): Promise<void> {
  const areStored = async () => {
    await pause(LOOK_AGAIN_MS);
    return total(await readMetrics(service), "bimride_detections_waiting") === 0;
  };
  await until(areStored, PHASES_PATIENCE_MS, "detected phases stored");
}

/** What the server's own metrics say about a stretch of time. */
export type MetricsSummary = { hopsMs: Record<string, Quantiles>; fixesPerMessage: number };

/** Reads the metrics of all processes and adds them up by name and labels; one that does not answer has none. */
export async function readMetrics(service: Pick<Service, "nodeUrls">): Promise<Metrics> {
  const texts = await Promise.all(
    service.nodeUrls.map(async (url) => {
      try {
        return await (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(TIMEOUT_MS) })).text();
      } catch {
        return ""; // killed or stopped: that is what a drill is about
      }
    }),
  );
  const samples = new Map<string, number>();
  for (const line of texts.flatMap((text) => text.split("\n"))) {
    if (!line || line.startsWith("#")) continue;
    const space = line.lastIndexOf(" ");
    const key = line.slice(0, space);
    samples.set(key, (samples.get(key) ?? 0) + Number(line.slice(space + 1)));
  }
  return samples;
}

/** The sum over all label sets of one metric. */
export function total(metrics: Metrics, name: string): number {
  let sum = 0;
  for (const [key, value] of metrics) if (key === name || key.startsWith(`${name}{`)) sum += value;
  return sum;
}

/** The summary of what happened between two readings. Quantiles are upper borders of histogram buckets. */
export function subtract(after: Metrics, before: Metrics): MetricsSummary {
  const delta = (key: string) => (after.get(key) ?? 0) - (before.get(key) ?? 0);
  const hops = new Set(
    [...after.keys()].flatMap((key) => /^bimride_edge_hop_ms_count\{hop="(\w+)"/.exec(key)?.[1] ?? []),
  );
  const hopsMs = Object.fromEntries([...hops].map((hop) => [hop, hopQuantiles(hop, after, delta)]));
  const entries = delta(`${ENTRY_FIXES}_count`);
  return { hopsMs, fixesPerMessage: entries > 0 ? round(delta(`${ENTRY_FIXES}_sum`) / entries) : 0 };
}

function hopQuantiles(hop: string, after: Metrics, delta: (key: string) => number): Quantiles {
  const buckets: { border: number; count: number }[] = [];
  for (const key of after.keys()) {
    if (!key.startsWith(`${HOPS}_bucket{`) || !key.includes(`hop="${hop}"`)) continue;
    const border = /le="([^"]+)"/.exec(key)?.[1];
    if (border)
      buckets.push({
        border: border === "+Inf" ? Number.POSITIVE_INFINITY : Number(border),
        count: delta(key),
      });
  }
  buckets.sort((a, b) => a.border - b.border);
  const n = buckets.at(-1)?.count ?? 0;
  const at = (p: number) => finite(buckets.find((bucket) => bucket.count >= p * n)?.border, buckets);
  return { n, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

/** JSON knows no infinity: beyond the last border, the last border. */
function finite(border: number | undefined, buckets: readonly { border: number }[]): number {
  if (border !== undefined && Number.isFinite(border)) return border;
  return buckets.findLast((bucket) => Number.isFinite(bucket.border))?.border ?? 0;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
