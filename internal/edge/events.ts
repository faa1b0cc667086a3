import { Counter, Gauge, Histogram } from "prom-client";
import type { BimrideError } from "../core/errors.ts";
import type { LivePosition } from "../core/live.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";

/** Kinds of watches and the faces they come through. */
export type WatchKind = "trips" | "viewport";
export type MessageKind =
  | "started"
  | "snapshot"
  | "update"
  | "heartbeat"
  | "unavailable"
  | "unchanged"
  | "viewport";

/** What happens at the edge, as counters and, where someone may want to read it, a log line. */
export type EdgeEvents = ReturnType<typeof edgeEvents>;

const HOP_BUCKETS_MS = [
  0.5, 1, 2, 5, 10, 25, 50, 100, 200, 500, 1_000, 2_000, 5_000, 15_000, 60_000, 600_000,
];
const REQUEST_BUCKETS_MS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000];

export function edgeEvents({ logger, registry }: Telemetry) {
  const registers = [registry];
  const watches = new Gauge({
    name: "bimride_edge_watches",
    help: "Watches open now.",
    labelNames: ["kind"],
    registers,
  });
  for (const kind of ["trips", "viewport"]) watches.set({ kind }, 0);
  const messages = new Counter({
    name: "bimride_edge_messages_total",
    help: "Messages given to viewers' connections.",
    labelNames: ["message"],
    registers,
  });
  const bytes = new Counter({
    name: "bimride_edge_bytes_total",
    help: "Bytes written to clients: whole answers of HTTP, messages without framing on WebSockets.",
    registers,
  });
  const resumes = new Counter({
    name: "bimride_edge_resumes_total",
    help: "Trips watched with a version to resume from, by what the viewer got: what was missing, or a snapshot.",
    labelNames: ["outcome"],
    registers,
  });
  const conflated = new Counter({
    name: "bimride_edge_conflated_total",
    help: "Backlogs of slow viewers that were replaced by a snapshot.",
    registers,
  });
  const refreshes = new Counter({
    name: "bimride_edge_refreshes_total",
    help: "Watches extended by a fresh token.",
    registers,
  });
  const failures = new Counter({
    name: "bimride_edge_failures_total",
    help: "Calls and streams that ended with an error of the vocabulary.",
    labelNames: ["code"],
    registers,
  });
  const hops = new Histogram({
    name: "bimride_edge_hop_ms",
    help: "Milliseconds between the stamps of a position, observed as it goes to each viewer.",
    labelNames: ["hop"],
    buckets: HOP_BUCKETS_MS,
    registers,
  });
  const requests = new Histogram({
    name: "bimride_edge_request_ms",
    help: "Milliseconds from a request's head to the end of its answer, streams left out.",
    labelNames: ["route", "status"],
    buckets: REQUEST_BUCKETS_MS,
    registers,
  });
  const deviceToGateway = hops.labels("deviceToGateway");
  const gatewayToLog = hops.labels("gatewayToLog");
  const logToProcessed = hops.labels("logToProcessed");
  const processedToPublished = hops.labels("processedToPublished");

  return {
    watchOpened: (kind: WatchKind) => watches.inc({ kind }),
    watchClosed: (kind: WatchKind) => watches.dec({ kind }),
    messageSent: (message: MessageKind) => messages.inc({ message }),
    bytesSent: (count: number) => bytes.inc(count),
    resumed: (outcome: "changes" | "unchanged" | "snapshot") => resumes.inc({ outcome }),
    watchRefreshed: () => refreshes.inc(),
    backlogReplaced: () => conflated.inc(),
    /** Stamps of a position on its way to one viewer. */
    positionSent: (position: LivePosition, nowMs: number) => {
      deviceToGateway.observe(position.receivedAtMs - position.capturedAtMs);
      gatewayToLog.observe(position.loggedAtMs - position.receivedAtMs);
      logToProcessed.observe(position.processedAtMs - position.loggedAtMs);
      processedToPublished.observe(nowMs - position.processedAtMs);
    },
    /** A call or stream that failed. What is our fault is logged with its cause, the rest only counted. */
    failed: (error: BimrideError, where: string) => {
      failures.inc({ code: error.code });
      if (error.code === "INTERNAL") logger.error({ where, err: error.cause ?? error }, "unexpected error");
      else if (error.rpcCode === "unavailable" && error.cause !== undefined) {
        logger.warn({ where, code: error.code, err: error.cause }, "call failed for want of a service");
      }
    },
    checkFailed: (name: string, error: unknown) =>
      logger.warn({ check: name, err: error }, "readiness check failed"),
    /** The route is its pattern, never the path that was called: no ids, no query. */
    requestDone: (route: string, method: string, status: number, durationMs: number) => {
      requests.observe({ route, status }, durationMs);
      logger.debug({ route, method, status, durationMs: Math.round(durationMs) }, "request");
    },
  };
}
