import type { Logger } from "pino";
import type { ErrorCode } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";
import type { LogEntry } from "../eventlog/log.ts";
import type { Gap } from "./gaps.ts";
import type { ProjectionMetrics } from "./metrics.ts";

/** Why partitions stop. */
const STOP_CODES = ["CURSOR_TOO_OLD", "MESSAGE_INVALID", "INTERNAL"] as const satisfies ErrorCode[];

export type ProjectionEventsOptions = {
  metrics: ProjectionMetrics;
  region: string;
  /** Says the region on its lines. */
  logger: Logger;
  clock: Pick<Clock, "now">;
};

/** Business events of a region's projections: each is one metric and, where an operator wants to read it, one log line. */
export class ProjectionEvents {
  readonly #metrics: ProjectionMetrics;
  readonly #region: string;
  readonly #logger: Logger;
  readonly #clock: Pick<Clock, "now">;
  /** The partitions at hand, by projection. */
  readonly #taken = new Map<string, Set<number>>();

  constructor({ metrics, region, logger, clock }: ProjectionEventsOptions) {
    this.#metrics = metrics;
    this.#region = region;
    this.#logger = logger;
    this.#clock = clock;
    metrics.latestLost.inc({ region }, 0);
    metrics.detectionsWaiting.set({ region }, 0);
  }

  /** Entries of one batch went through the pipeline. */
  processed(projection: string, batch: readonly LogEntry[]): void {
    const last = batch.at(-1);
    if (!last) return;
    this.#metrics.entries.inc({ region: this.#region, projection }, batch.length);
    this.#metrics.hop.observe(
      { region: this.#region, projection },
      Math.max(0, this.#clock.now() - last.loggedAtMs) / 1_000,
    );
  }

  /** A partition is at hand. @param behind sequences to replay */
  taken(projection: string, partition: number, behind: number, tookMs: number): void {
    this.#begin(projection, partition);
    this.#metrics.owned.set({ region: this.#region, projection, partition }, 1);
    this.#metrics.takeOver.observe({ region: this.#region, projection }, tookMs / 1_000);
    this.#logger.info({ projection, partition, behind, tookMs: Math.round(tookMs) }, "partition taken");
  }

  /** Whatever may happen to the partition reads 0 until it does. */
  #begin(projection: string, partition: number): void {
    const region = this.#region;
    const { stoppedNow, refused, lost, stopped, startedAnew } = this.#metrics;
    const taken = this.#taken.get(projection) ?? new Set();
    this.#taken.set(projection, taken.add(partition));
    stoppedNow.set({ region, projection, partition }, 0);
    // Only live writes the latest state.
    if (projection === "live") refused.inc({ region, partition }, 0);
    lost.inc({ region, projection, partition }, 0);
    startedAnew.inc({ region, projection }, 0);
    for (const code of STOP_CODES) stopped.inc({ region, projection, code }, 0);
  }

  /** A partition is somebody else's. */
  released(projection: string, partition: number): void {
    this.#taken.get(projection)?.delete(partition);
    this.#metrics.owned.remove({ region: this.#region, projection, partition });
    this.#metrics.lag.remove({ region: this.#region, projection, partition });
    this.#metrics.stoppedNow.remove({ region: this.#region, projection, partition });
    this.#logger.info({ projection, partition }, "partition released");
  }

  /** How far a projection is behind. */
  lag(projection: string, partition: number, entries: number): void {
    this.#metrics.lag.set({ region: this.#region, projection, partition }, entries);
  }

  /** How many detected phases wait for the trips store. */
  detectionsWaiting(count: number): void {
    this.#metrics.detectionsWaiting.set({ region: this.#region }, count);
  }

  /** The latest state refused updates of ours: somebody else owns the partition. */
  refused(partition: number, updates: number): void {
    this.#metrics.refused.inc({ region: this.#region, partition }, updates);
    this.#logger.warn({ partition, updates }, "stale updates of the latest state were refused");
  }

  /** The latest state lost what we wrote: it is written anew. */
  lost(): void {
    this.#metrics.latestLost.inc({ region: this.#region });
    this.#logger.warn("the latest state has lost what was written, writing it anew");
  }

  /** A partition, or all at hand, stopped: the projection would have to skip what it can't take in. */
  stopped(projection: string, code: ErrorCode, partition?: number): void {
    this.#metrics.stopped.inc({ region: this.#region, projection, code });
    const all = this.#taken.get(projection) ?? [];
    for (const each of partition === undefined ? all : [partition])
      this.#metrics.stoppedNow.set({ region: this.#region, projection, partition: each }, 1);
  }

  /** The partitions are read again after all of them had stopped. */
  goesOn(projection: string, partitions: readonly number[]): void {
    for (const partition of partitions)
      this.#metrics.stoppedNow.set({ region: this.#region, projection, partition }, 0);
  }

  /** A partition stopped because the log no longer has what comes after its cursor. */
  gap(projection: string, { partition, lost }: Gap): void {
    this.stopped(projection, "CURSOR_TOO_OLD", partition);
    this.#metrics.lost.inc({ region: this.#region, projection, partition }, lost);
  }

  /** A partition without a snapshot begins at the log's first entry, which is not the first that ever was. */
  startedAnew(projection: string, partition: number, first: number): void {
    this.#metrics.startedAnew.inc({ region: this.#region, projection });
    this.#logger.warn(
      { projection, partition, first },
      "no snapshot: reading from the log's first entry; whether all before it was stored can't be told",
    );
  }
}
