import { Counter } from "prom-client";
import { type Clock, systemClock } from "../core/time.ts";
import { atMostEvery } from "../telemetry/at-most-every.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";

/** Drops come by the thousand; one line per region and so long says it. */
const LOG_PERIOD_MS = 10_000;

/** Business events of the live buses of a process, by region: counter and log line. One per process. */
export class BusEvents {
  readonly #logger: Telemetry["logger"];
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #dropped: Counter<"region">;

  constructor({ logger, registry }: Telemetry, clock: Pick<Clock, "monotonic"> = systemClock) {
    this.#logger = logger.child({ part: "bus" });
    this.#clock = clock;
    this.#dropped = new Counter({
      name: "bimride_bus_dropped_total",
      help: "Messages of the live bus dropped because its servers could not take them; viewers read their snapshots again.",
      labelNames: ["region"],
      registers: [registry],
    });
  }

  /** Those of the region's bus. */
  of(region: string): { dropped(): void } {
    this.#dropped.inc({ region }, 0);
    const isDue = atMostEvery(LOG_PERIOD_MS, this.#clock);
    return {
      dropped: () => {
        this.#dropped.inc({ region });
        if (isDue()) this.#logger.warn({ region }, "live bus away or full: messages are dropped");
      },
    };
  }
}
