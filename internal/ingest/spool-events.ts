import { Counter, Gauge, Histogram } from "prom-client";
import type { ErrorCode } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { SpoolDepth, SpoolEvent } from "./spool/events.ts";

/** Refusals come by the thousand; one line per kind and so long says it. */
const LOG_PERIOD_MS = 10_000;
/** Why the spool refuses an entry, and for which reasons the log one of the spool's. */
const REFUSALS = ["LOG_FULL", "LOG_UNAVAILABLE"] as const satisfies ErrorCode[];
const DRAIN_REFUSALS = [...REFUSALS, "INTERNAL"] as const satisfies ErrorCode[];

/** Business events of the spools of this gateway, by region: counters, gauges and log lines. One per process. */
export class SpoolEvents {
  readonly #clock: Clock;
  readonly #logger: Telemetry["logger"];
  readonly #spooled: Counter<"region">;
  readonly #drained: Counter<"region">;
  readonly #refused: Counter<"region" | "code">;
  readonly #drainRefused: Counter<"region" | "code">;
  readonly #damaged: Counter<"region">;
  readonly #outages: Counter<"region">;
  readonly #away: Gauge<"region">;
  readonly #waited: Histogram<"region">;
  readonly #depths = new Map<string, () => SpoolDepth>();
  readonly #loggedMs = new Map<string, number>();

  /** @param clock the one of the spools */
  constructor(telemetry: Telemetry, clock: Clock) {
    this.#clock = clock;
    this.#logger = telemetry.logger.child({ part: "spool" });
    const registers = [telemetry.registry];
    const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
      new Counter({ name: `bimride_spool_${name}_total`, help, labelNames, registers });
    this.#spooled = counter("entries", "Log entries fsynced to the spool while the log was away.", [
      "region",
    ]);
    this.#drained = counter("drained_entries", "Entries of the spool that reached the log.", ["region"]);
    this.#refused = counter("refused_entries", "Entries that the spool could not take.", ["region", "code"]);
    this.#drainRefused = counter("drain_refusals", "Tries to drain that the log refused.", [
      "region",
      "code",
    ]);
    this.#damaged = counter("damaged_entries", "Entries that the disk lost: BUFFERED, never in the log.", [
      "region",
    ]);
    this.#outages = counter("outages", "Times that the log went away.", ["region"]);
    this.#away = new Gauge({
      name: "bimride_spool_log_away",
      help: "1 while what is accepted goes to the spool: the log is away, or is being caught up with.",
      labelNames: ["region"],
      registers,
    });
    this.#waited = new Histogram({
      name: "bimride_spool_wait_seconds",
      help: "From the write to the spool to the log having it.",
      labelNames: ["region"],
      buckets: [0.1, 1, 5, 15, 60, 300, 1_800, 7_200, 43_200],
      registers,
    });
    const depths = this.#depths;
    const gauge = (name: string, help: string, read: (depth: SpoolDepth) => number) =>
      new Gauge({
        ...{ name: `bimride_spool_${name}`, help, labelNames: ["region"], registers },
        collect() {
          for (const [region, depth] of depths) this.set({ region }, read(depth()));
        },
      });
    gauge("depth_entries", "Entries in the spool.", ({ entries }) => entries);
    gauge("depth_bytes", "Bytes in the spool.", ({ bytes }) => bytes);
    gauge("oldest_age_seconds", "Age of the oldest entry in the spool; 0 when it is empty.", (depth) =>
      depth.oldestAtMs > 0 ? Math.max(0, clock.now() - depth.oldestAtMs) / 1_000 : 0,
    );
  }

  /** The `onEvent` of the region's spool, all of whose counters read 0 from now on. */
  of(region: string): (event: SpoolEvent) => void {
    for (const counter of [this.#spooled, this.#drained, this.#damaged, this.#outages])
      counter.inc({ region }, 0);
    for (const code of REFUSALS) this.#refused.inc({ region, code }, 0);
    for (const code of DRAIN_REFUSALS) this.#drainRefused.inc({ region, code }, 0);
    this.#waited.zero({ region });
    return (event) => this.#happened(region, event);
  }

  #happened(region: string, event: SpoolEvent): void {
    switch (event.kind) {
      case "opened":
        this.#depths.set(region, event.depth);
        this.#away.set({ region }, event.entries > 0 ? 1 : 0);
        if (event.entries > 0 || event.tornBytes > 0) {
          const { entries, tornBytes } = event;
          this.#logger.warn({ region, entries, tornBytes }, "spool found what an earlier run left");
        }
        return;
      case "away":
        this.#outages.inc({ region });
        this.#away.set({ region }, 1);
        this.#logger.warn(
          { region, code: event.code, err: event.cause },
          "log away: entries go to the spool",
        );
        return;
      case "back":
        this.#away.set({ region }, 0);
        this.#logger.info(
          { region, awayMs: Math.round(event.awayMs) },
          "spool drained: entries go to the log",
        );
        return;
      case "spooled":
        this.#spooled.inc({ region }, event.entries);
        return;
      case "drained":
        this.#drained.inc({ region });
        this.#waited.observe({ region }, Math.max(0, event.waitedMs) / 1_000);
        return;
      default:
        this.#trouble(region, event);
    }
  }

  #trouble(
    region: string,
    event: Extract<SpoolEvent, { kind: "drainRefused" | "refused" | "damaged" | "untidy" }>,
  ): void {
    if (event.kind === "drainRefused") {
      this.#drainRefused.inc({ region, code: event.code });
      // An outage is told once; what the log refuses for other reasons keeps it from draining for ever.
      if (event.code !== "LOG_UNAVAILABLE" && event.code !== "LOG_FULL" && this.#isDue(region, event.kind))
        this.#logger.error({ region, code: event.code, err: event.cause }, "log refuses a spooled entry");
    } else if (event.kind === "refused") {
      this.#refused.inc({ region, code: event.code });
      if (this.#isDue(region, event.kind))
        this.#logger.error({ region, code: event.code, err: event.cause }, "spool can't take entries");
    } else if (event.kind === "damaged") {
      this.#damaged.inc({ region }, event.entries);
      this.#logger.error({ region, entries: event.entries }, "spooled entries are damaged and lost");
    } else if (this.#isDue(region, event.kind))
      this.#logger.warn({ region, err: event.cause }, "spool not tidied: a restart will repeat entries");
  }

  #isDue(region: string, kind: string): boolean {
    const key = `${region} ${kind}`;
    const nowMs = this.#clock.monotonic();
    if (nowMs - (this.#loggedMs.get(key) ?? Number.NEGATIVE_INFINITY) < LOG_PERIOD_MS) return false;
    this.#loggedMs.set(key, nowMs);
    return true;
  }
}
