import { Counter, Gauge, Histogram } from "prom-client";
import type { BimrideError, ErrorCode } from "../core/errors.ts";
import type { LivePosition } from "../core/live.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";

/** Kinds of watches and the faces they come through. */
export type WatchKind = "trips" | "viewport";
const MESSAGE_KINDS = [
  "started",
  "snapshot",
  "update",
  "heartbeat",
  "unavailable",
  "unchanged",
  "rider",
  "viewport",
] as const;
export type MessageKind = (typeof MESSAGE_KINDS)[number];

/** What a viewer who resumed a trip got. */
const RESUME_OUTCOMES = ["changes", "unchanged", "snapshot"] as const;
/** Of the codes of failures those that are ours; the others have a series once a client brings them about. */
const OWN_FAULTS = ["INTERNAL", "STORE_UNAVAILABLE"] as const satisfies ErrorCode[];

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
  for (const message of MESSAGE_KINDS) messages.inc({ message }, 0);
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
  for (const outcome of RESUME_OUTCOMES) resumes.inc({ outcome }, 0);
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
  for (const code of OWN_FAULTS) failures.inc({ code }, 0);
  const revoked = new Counter({
    name: "bimride_edge_sessions_revoked_total",
    help: "RevokeSession calls that took effect.",
    registers,
  });
  const hops = new Histogram({
    name: "bimride_edge_hop_ms",
    help: "Milliseconds between the stamps of a position that came over the bus, observed as it goes to each viewer; 0 where clocks say less.",
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
  // A sum that falls would be a restart to Prometheus.
  const hop = (name: string) => {
    hops.zero({ hop: name });
    const series = hops.labels(name);
    return (fromMs: number, toMs: number) => series.observe(Math.max(0, toMs - fromMs));
  };
  const deviceToGateway = hop("deviceToGateway");
  const gatewayToLog = hop("gatewayToLog");
  const logToProcessed = hop("logToProcessed");
  const processedToPublished = hop("processedToPublished");

  return {
    watchOpened: (kind: WatchKind) => watches.inc({ kind }),
    watchClosed: (kind: WatchKind) => watches.dec({ kind }),
    messageSent: (message: MessageKind) => messages.inc({ message }),
    bytesSent: (count: number) => bytes.inc(count),
    resumed: (outcome: (typeof RESUME_OUTCOMES)[number]) => resumes.inc({ outcome }),
    watchRefreshed: () => refreshes.inc(),
    /** @param streams that were open */
    sessionRevoked: (byRole: string, user: string, streams: number) => {
      revoked.inc();
      logger.info({ byRole, user, streams }, "session revoked");
    },
    backlogReplaced: () => conflated.inc(),
    /** Stamps of a position that came over the bus, on its way to one viewer. */
    positionSent: (position: LivePosition, nowMs: number) => {
      deviceToGateway(position.capturedAtMs, position.receivedAtMs);
      gatewayToLog(position.receivedAtMs, position.loggedAtMs);
      logToProcessed(position.loggedAtMs, position.processedAtMs);
      processedToPublished(position.processedAtMs, nowMs);
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
