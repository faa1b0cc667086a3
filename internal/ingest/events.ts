import { Counter, Gauge, Histogram } from "prom-client";
import type { ErrorCode } from "../core/errors.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { VERDICT_CODES, type Verdict } from "./messages.ts";
import { RATE_CASES } from "./rate-cases.ts";
import type { LoadLevel } from "./rate-input.ts";
import { SLOWDOWNS } from "./rate-slowdowns.ts";

const TRANSPORTS = ["grpc", "websocket", "http", "mqtt"] as const;
/** The ways in, as labels and log fields. */
export type Transport = (typeof TRANSPORTS)[number];

/** Errors that mean that something of ours is wrong, not of the client's: logged as warnings. */
const OWN_FAULTS: ReadonlySet<ErrorCode> = new Set([
  "INTERNAL",
  "LOG_UNAVAILABLE",
  "LOG_FULL",
  "STORE_UNAVAILABLE",
]);

/** Business events of the gateway: each is one counter and, where an operator wants to read it, one log line. */
export class IngestEvents {
  readonly #logger: Telemetry["logger"];
  readonly #fixes: Counter<"verdict">;
  readonly #invalid: Counter<"reason">;
  readonly #problems: Counter<"code" | "transport">;
  readonly #streams: Gauge<"transport">;
  readonly #sessions: Counter<"transport">;
  readonly #superseded: Counter<"reason">;
  readonly #moves: Counter<"from" | "to">;
  readonly #received: Counter<"transport">;
  readonly #wantedRates: Counter<"reason">;
  readonly #load: Gauge;
  readonly #entryFixes: Histogram;
  readonly #entryBytes: Counter;
  readonly #ackSeconds: Histogram;

  constructor(telemetry: Telemetry) {
    this.#logger = telemetry.logger;
    const registers = [telemetry.registry];
    const counter = <L extends string>(name: string, help: string, labelNames: L[] = []) =>
      new Counter({ name, help, labelNames, registers });
    this.#fixes = counter("bimride_ingest_fixes_total", "Fixes by verdict.", ["verdict"]);
    this.#invalid = counter("bimride_ingest_invalid_fixes_total", "Refused fixes by reason.", ["reason"]);
    this.#problems = counter("bimride_ingest_problems_total", "Messages and calls refused, by error code.", [
      "code",
      "transport",
    ]);
    this.#sessions = counter("bimride_ingest_sessions_opened_total", "Hellos answered.", ["transport"]);
    this.#superseded = counter(
      "bimride_ingest_sessions_superseded_total",
      "Sessions told that another one moves the marker, by why: a newer one opened, or the party's devices took over too often.",
      ["reason"],
    );
    this.#moves = counter(
      "bimride_ingest_sessions_moved_total",
      "Sessions that went on in another region, by region.",
      ["from", "to"],
    );
    this.#received = counter("bimride_ingest_received_bytes_total", "Bytes of messages that came in.", [
      "transport",
    ]);
    this.#wantedRates = counter(
      "bimride_ingest_wanted_rates_total",
      "Wanted rates told on streams, by reason (docs/API.md).",
      ["reason"],
    );
    this.#load = new Gauge({
      name: "bimride_ingest_load_level",
      help: "How busy this gateway is: 0 as usual, 1 busy, 2 overloaded; it asks devices to send less from 1 on.",
      registers,
    });
    this.#entryBytes = counter("bimride_ingest_appended_bytes_total", "Bytes of log entries appended.");
    this.#streams = new Gauge({
      name: "bimride_ingest_streams",
      help: "Open streams.",
      labelNames: ["transport"],
      registers,
    });
    this.#entryFixes = new Histogram({
      name: "bimride_ingest_fixes_per_entry",
      help: "Fixes in one log entry.",
      buckets: [1, 2, 5, 10, 20, 50, 100],
      registers,
    });
    this.#ackSeconds = new Histogram({
      name: "bimride_ingest_ack_seconds",
      help: "From the receipt of a batch to its verdicts, i.e. durable.",
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
      registers,
    });
    this.#begin();
  }

  /** What is known to come reads 0 until it does; codes and reasons that clients bring about have a series then. */
  #begin(): void {
    for (const verdict of VERDICT_CODES) this.#fixes.inc({ verdict }, 0);
    for (const { code } of [...RATE_CASES, ...SLOWDOWNS]) this.#wantedRates.inc({ reason: code }, 0);
    for (const reason of ["newer_session", "take_over_refused"]) this.#superseded.inc({ reason }, 0);
    for (const transport of TRANSPORTS) {
      this.#streams.set({ transport }, 0);
      this.#sessions.inc({ transport }, 0);
      this.#received.inc({ transport }, 0);
      for (const code of OWN_FAULTS) this.#problems.inc({ code, transport }, 0);
    }
  }

  /** A batch got its verdicts. @param tookMs from receipt to durable */
  acked(verdicts: readonly Verdict[], tookMs: number): void {
    const counts = new Map<string, number>();
    for (const { code, reason } of verdicts) {
      counts.set(code, (counts.get(code) ?? 0) + 1);
      if (reason) this.#invalid.inc({ reason });
    }
    for (const [verdict, count] of counts) this.#fixes.inc({ verdict }, count);
    this.#ackSeconds.observe(tookMs / 1_000);
  }

  /** A message or call was refused, or a stream ended, for a reason of the vocabulary. */
  problem(transport: Transport, code: ErrorCode, cause?: unknown): void {
    this.#problems.inc({ code, transport });
    if (OWN_FAULTS.has(code)) this.#logger.warn({ code, transport, err: cause }, "ingest refused");
    else this.#logger.debug({ code, transport }, "ingest refused");
  }

  /** A stream was opened (+1) or is gone (−1). */
  streams(transport: Transport, change: 1 | -1): void {
    this.#streams.inc({ transport }, change);
  }

  sessionOpened(transport: Transport, party: string, sessionId: string, sessionEpoch: number): void {
    this.#sessions.inc({ transport });
    this.#logger.debug({ transport, party, sessionId, sessionEpoch }, "ingest session opened");
  }

  /** A session was told that another one moves the marker. @param retryAfterMs above 0 when it may not take over now */
  sessionSuperseded(party: string, sessionId: string, byEpoch: number, retryAfterMs: number): void {
    const refused = retryAfterMs > 0;
    this.#superseded.inc({ reason: refused ? "take_over_refused" : "newer_session" });
    if (refused) this.#logger.warn({ party, sessionId, byEpoch, retryAfterMs }, "ingest take-over refused");
    else this.#logger.info({ party, sessionId, byEpoch }, "ingest session superseded");
  }

  /** A session goes on in another region. */
  sessionMoved(party: string, sessionId: string, from: string, to: string): void {
    this.#moves.inc({ from, to });
    this.#logger.info({ party, sessionId, from, to }, "ingest session moved to another region");
  }

  /** A stream was told how often to send. */
  wantedRate(reason: string): void {
    this.#wantedRates.inc({ reason });
  }

  /** How busy this gateway is. */
  load(level: LoadLevel): void {
    this.#load.set(level);
  }

  received(transport: Transport, bytes: number): void {
    this.#received.inc({ transport }, bytes);
  }

  /** An entry was handed to the log. */
  entry(fixes: number, bytes: number): void {
    this.#entryFixes.observe(fixes);
    this.#entryBytes.inc(bytes);
  }

  /** A record other than fixes did not reach the log; the session goes on without it. */
  recordLost(kind: string, cause: unknown): void {
    this.#logger.warn({ kind, err: cause }, "record not appended");
  }

  /** The bus refused a subscription; it is tried again. */
  busUnheard(party: string, cause: unknown): void {
    this.#logger.warn({ party, err: cause }, "bus not listened to");
  }

  /** The trips store did not answer; the assignment is sent once it does. */
  assignmentUnknown(party: string, cause: unknown): void {
    this.#logger.warn({ party, err: cause }, "assignment not read");
  }
}
