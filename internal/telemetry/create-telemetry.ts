import { type DestinationStream, destination, pino } from "pino";
import { collectDefaultMetrics, Registry } from "prom-client";
import { plainLine } from "./plain-lines.ts";
import { redactFields } from "./redaction.ts";
import type { Telemetry } from "./telemetry.ts";

/** Where log lines go: one call a line. A plain Node stream fits. */
export type LineSink = { write(line: string): unknown };

export type TelemetryOptions = {
  /** What the process is, e.g. `bimride`, `drive`. On every log line. */
  role: string;
  /** Least severity that is logged. */
  level: "error" | "warn" | "info" | "debug" | "silent";
  /** json: one object a line; plain: for people; auto: plain on a terminal, json elsewhere. Default auto. */
  format?: "auto" | "json" | "plain";
  /** Default: standard error, synchronously, so that the last words of a dying process get out. */
  sink?: LineSink;
  /** The metrics of the process itself (CPU, memory, event-loop delay, handles). Default true; off for many in one test process. */
  processMetrics?: boolean;
};

/** A logger that redacts credentials and places, and a registry of its own. */
export function createTelemetry(options: TelemetryOptions): Telemetry {
  const registry = new Registry();
  if (options.processMetrics ?? true) collectDefaultMetrics({ register: registry });

  const logger = pino(
    {
      level: options.level,
      base: { role: options.role },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    createSink(options),
  );
  return { logger, registry };
}

/** Redacts whole lines, so that nothing gets past: fields, child bindings, messages, errors and their causes. */
function createSink(options: TelemetryOptions): DestinationStream {
  const sink = options.sink ?? destination({ dest: 2, sync: true });
  const format = options.format ?? "auto";
  const plain =
    format === "plain" || (format === "auto" && options.sink === undefined && process.stderr.isTTY);
  return {
    write(json: string) {
      const record = redactFields(JSON.parse(json) as Record<string, unknown>);
      sink.write(plain ? plainLine(record) : `${JSON.stringify(record)}\n`);
    },
  };
}
