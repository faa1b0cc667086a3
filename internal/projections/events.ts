import { Counter, Gauge, Histogram } from "prom-client";
import type { ErrorCode } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";
import type { LogEntry } from "../eventlog/log.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Gap } from "./gaps.ts";

/** Business events of a processor: each is one metric and, where an operator wants to read it, one log line. */
export class ProjectionEvents {
  readonly #logger: Telemetry["logger"];
  readonly #clock: Pick<Clock, "now">;
  readonly #entries: Counter<"projection">;
  readonly #hop: Histogram<"projection">;
  readonly #owned: Gauge<"projection" | "partition">;
  readonly #lag: Gauge<"projection" | "partition">;
  readonly #takeOver: Histogram<"projection">;
  readonly #refused: Counter<"partition">;
  readonly #latestLost: Counter;
  readonly #stopped: Counter<"projection" | "code">;
  readonly #startedAnew: Counter<"projection">;
  readonly #stoppedNow: Gauge<"projection" | "partition">;
  readonly #lost: Counter<"projection" | "partition">;

  constructor(telemetry: Telemetry, clock: Pick<Clock, "now">) {
    const registers = [telemetry.registry];
    this.#logger = telemetry.logger;
    this.#clock = clock;
    this.#entries = new Counter({
      name: "bimride_projection_entries_total",
      help: "Log entries processed.",
      labelNames: ["projection"],
      registers,
    });
    this.#hop = new Histogram({
      name: "bimride_projection_hop_seconds",
      help: "From an entry's stamp in the log to its processing: the hop from log to processor.",
      labelNames: ["projection"],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30],
      registers,
    });
    this.#owned = new Gauge({
      name: "bimride_projection_owned",
      help: "1 for each partition that this process works on.",
      labelNames: ["projection", "partition"],
      registers,
    });
    this.#lag = new Gauge({
      name: "bimride_projection_lag_entries",
      help: "Sequences between the log's end and the projection's cursor, as last looked at.",
      labelNames: ["projection", "partition"],
      registers,
    });
    this.#takeOver = new Histogram({
      name: "bimride_projection_take_seconds",
      help: "Time to load the snapshot of a partition that this process took.",
      labelNames: ["projection"],
      buckets: [0.005, 0.025, 0.1, 0.25, 1, 5, 30],
      registers,
    });
    this.#refused = new Counter({
      name: "bimride_latest_refused_total",
      help: "Updates of the latest state refused because they were stale: an older partition epoch.",
      labelNames: ["partition"],
      registers,
    });
    this.#latestLost = new Counter({
      name: "bimride_latest_lost_total",
      help: "Times that the latest state was found to have lost what this process wrote; it was written anew.",
      registers,
    });
    this.#stopped = new Counter({
      name: "bimride_projection_stopped_total",
      help: "Partitions of projections that stopped; CURSOR_TOO_OLD counts gaps: entries left the log before they were read.",
      labelNames: ["projection", "code"],
      registers,
    });
    this.#startedAnew = new Counter({
      name: "bimride_projection_started_anew_total",
      help: "Partitions taken without a snapshot whose log does not begin at its beginning.",
      labelNames: ["projection"],
      registers,
    });
    this.#stoppedNow = new Gauge({
      name: "bimride_projection_stopped",
      help: "1 for each partition at hand of which nothing more is read.",
      labelNames: ["projection", "partition"],
      registers,
    });
    this.#lost = new Counter({
      name: "bimride_projection_gap_entries_total",
      help: "Entries that left the log before the projection read them; on NATS, which numbers all partitions together, at most so many.",
      labelNames: ["projection", "partition"],
      registers,
    });
  }

  /** Entries of one batch went through the pipeline. */
  processed(projection: string, batch: readonly LogEntry[]): void {
    const last = batch.at(-1);
    if (!last) return;
    this.#entries.inc({ projection }, batch.length);
    this.#hop.observe({ projection }, Math.max(0, this.#clock.now() - last.loggedAtMs) / 1_000);
  }

  /** A partition is at hand. @param behind sequences to replay */
  taken(projection: string, partition: number, behind: number, tookMs: number): void {
    this.#owned.set({ projection, partition }, 1);
    this.#takeOver.observe({ projection }, tookMs / 1_000);
    this.#logger.info({ projection, partition, behind, tookMs: Math.round(tookMs) }, "partition taken");
  }

  /** A partition is somebody else's. */
  released(projection: string, partition: number): void {
    this.#owned.remove({ projection, partition });
    this.#lag.remove({ projection, partition });
    this.#stoppedNow.remove({ projection, partition });
    this.#logger.info({ projection, partition }, "partition released");
  }

  /** How far a projection is behind. */
  lag(projection: string, partition: number, entries: number): void {
    this.#lag.set({ projection, partition }, entries);
  }

  /** The latest state refused updates of ours: somebody else owns the partition. */
  refused(partition: number, updates: number): void {
    this.#refused.inc({ partition }, updates);
    this.#logger.warn({ partition, updates }, "stale updates of the latest state were refused");
  }

  /** The latest state lost what we wrote: it is written anew. */
  lost(): void {
    this.#latestLost.inc();
    this.#logger.warn("the latest state has lost what was written, writing it anew");
  }

  /** A partition, or all of them, stopped: the projection would have to skip what it can't take in. */
  stopped(projection: string, code: ErrorCode, partition?: number): void {
    this.#stopped.inc({ projection, code });
    if (partition !== undefined) this.#stoppedNow.set({ projection, partition }, 1);
  }

  /** A partition stopped because the log no longer has what comes after its cursor. */
  gap(projection: string, { partition, lost }: Gap): void {
    this.stopped(projection, "CURSOR_TOO_OLD", partition);
    this.#lost.inc({ projection, partition }, lost);
  }

  /** A partition without a snapshot begins at the log's first entry, which is not the first that ever was. */
  startedAnew(projection: string, partition: number, first: number): void {
    this.#startedAnew.inc({ projection });
    this.#logger.warn(
      { projection, partition, first },
      "no snapshot: reading from the log's first entry; whether all before it was stored can't be told",
    );
  }
}
