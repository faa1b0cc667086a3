import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** The metrics of a process's projections, which all its regions share. One per registry. */
export type ProjectionMetrics = ReturnType<typeof projectionMetrics>;

export function projectionMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name: `bimride_${name}_total`, help, labelNames, registers });
  const gauge = (name: string, help: string) =>
    new Gauge({
      name: `bimride_projection_${name}`,
      help,
      labelNames: ["region", "projection", "partition"],
      registers,
    });
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({
      name: `bimride_projection_${name}_seconds`,
      help,
      labelNames: ["region", "projection"],
      buckets,
      registers,
    });
  return {
    entries: counter("projection_entries", "Log entries processed.", ["region", "projection"]),
    hop: histogram(
      "hop",
      "From an entry's stamp in the log to its processing: the hop from log to processor.",
      [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30],
    ),
    owned: gauge("owned", "1 for each partition that this process works on."),
    lag: gauge(
      "lag_entries",
      "Sequences between the log's end and the projection's cursor, as last looked at.",
    ),
    takeOver: histogram(
      "take",
      "Time to load the snapshot of a partition that this process took.",
      [0.005, 0.025, 0.1, 0.25, 1, 5, 30],
    ),
    refused: counter(
      "latest_refused",
      "Updates of the latest state refused because they were stale: an older partition epoch.",
      ["region", "partition"],
    ),
    latestLost: counter(
      "latest_lost",
      "Times that the latest state was found to have lost what this process wrote; it was written anew.",
      ["region"],
    ),
    detectionsWaiting: new Gauge({
      name: "bimride_detections_waiting",
      help: "Detected phases that are not proposed to the trips store yet, as last looked at.",
      labelNames: ["region"],
      registers,
    }),
    stopped: counter(
      "projection_stopped",
      "Partitions of projections that stopped; CURSOR_TOO_OLD counts gaps: entries left the log before they were read.",
      ["region", "projection", "code"],
    ),
    startedAnew: counter(
      "projection_started_anew",
      "Partitions taken without a snapshot whose log does not begin at its beginning.",
      ["region", "projection"],
    ),
    stoppedNow: gauge("stopped", "1 for each partition at hand of which nothing more is read."),
    lost: counter(
      "projection_gap_entries",
      "Entries that left the log before the projection read them; on NATS, which numbers all partitions together, at most so many.",
      ["region", "projection", "partition"],
    ),
  };
}
