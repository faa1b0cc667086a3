import type { Logger } from "pino";
import type { Registry } from "prom-client";

/**
 * What a part needs to be observed. Business events of a role live in an `events.ts` beside it: counter and log line
 * together. Neither logs nor labels may carry coordinates, tokens or unbounded values (ids belong in logs only).
 */
export type Telemetry = { logger: Logger; registry: Registry };
