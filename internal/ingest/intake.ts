import { BimrideError } from "../core/errors.ts";
import type { Fix } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import type { IngestEvents } from "./events.ts";
import type { Ack, BatchInput, FixInput, Verdict, VerdictCode } from "./messages.ts";
import type { SessionState } from "./session-state.ts";
import { type Fault, faultOf, timeFaultOf, toFix } from "./validate.ts";

/** Retry hint where the pending bound, not the rate, refused fixes. */
const PENDING_RETRY_MS = 1_000;

export type IntakeDeps = {
  clock: Clock;
  ioClock: Clock;
  limits: Limits;
  events: IngestEvents;
};

/** @property traceparent W3C trace context, or empty; @property maxFixes bound of the transport's message */
export type IntakeContext = { traceparent: string; maxFixes: number };

/** One batch under way: its verdicts, what must still become durable, and the fixes to append. */
type Sorted = { verdicts: Verdict[]; waits: Set<Promise<unknown>>; fresh: Fix[]; retryAfterMs: number };

/** Takes batches of fixes of any transport: judges each fix, appends the good ones, answers when they are durable. */
export class Intake {
  readonly #deps: IntakeDeps;

  constructor(deps: IntakeDeps) {
    this.#deps = deps;
  }

  /**
   * Resolves with a verdict for every distinct seq once all that was accepted is durable: in the log, or BUFFERED in this
   * gateway's spool while the log is away. Rejects with BATCH_EMPTY or
   * BATCH_TOO_LARGE (nothing is stored), or with LOG_UNAVAILABLE or LOG_FULL (neither can take
   * them): then no verdict is given, and some of the fixes may be durable all the same; a repeat finds out.
   */
  async take(session: SessionState, batch: BatchInput, context: IntakeContext): Promise<Ack> {
    const { clock, ioClock, events } = this.#deps;
    if (batch.fixes.length === 0) throw new BimrideError("BATCH_EMPTY", undefined, { field: "fixes" });
    if (batch.fixes.length > context.maxFixes)
      throw new BimrideError("BATCH_TOO_LARGE", `At most ${context.maxFixes} fixes.`, { field: "fixes" });
    const receivedAtMs = Math.round(clock.now());
    const startMs = ioClock.monotonic();
    const clockOffsetMs = session.clockOffset.sample(receivedAtMs, batch.deviceTimeMs);
    session.buffered.settle(session.durable);
    const sorted = this.#sort(session, batch.fixes, receivedAtMs, clockOffsetMs);
    this.#append(session, sorted, receivedAtMs, clockOffsetMs, context.traceparent);
    const settled = await Promise.allSettled(sorted.waits);
    const failure = settled.find((result) => result.status === "rejected");
    if (failure) throw failure.reason;
    if (!session.buffered.isEmpty) markBuffered(session, sorted.verdicts);
    events.acked(sorted.verdicts, ioClock.monotonic() - startMs);
    const { verdicts, retryAfterMs } = sorted;
    const { assignmentVersion } = session;
    return { batchId: batch.batchId, verdicts, receivedAtMs, retryAfterMs, assignmentVersion };
  }

  /** Gives each distinct seq its verdict (the first fix of a seq counts) and picks out what is to be appended. */
  #sort(session: SessionState, fixes: FixInput[], receivedAtMs: number, clockOffsetMs: number): Sorted {
    const { limits } = this.#deps;
    const seen = new Set<number>();
    const distinct = fixes.filter(({ seq }) => !seen.has(seq) && seen.add(seq));
    const allowed = session.bucket.take(distinct.length, receivedAtMs);
    const room = limits.maxPendingFixesPerSession - session.pending.size;
    const sorted: Sorted = { verdicts: [], waits: new Set(), fresh: [], retryAfterMs: 0 };
    for (const [index, fix] of distinct.entries()) {
      const ageMs = receivedAtMs - fix.capturedAtMs - clockOffsetMs;
      const fault = faultOf(fix) ?? timeFaultOf(ageMs, limits);
      const firstAppend = session.pending.get(fix.seq);
      if (index >= allowed) sorted.verdicts.push(verdict(fix.seq, "RATE_LIMITED"));
      else if (fault) sorted.verdicts.push(refusal(fix.seq, fault));
      else if (session.durable.has(fix.seq)) sorted.verdicts.push(verdict(fix.seq, "DUPLICATE"));
      else if (session.buffered.has(fix.seq)) sorted.verdicts.push(verdict(fix.seq, "BUFFERED"));
      else if (firstAppend) {
        sorted.waits.add(firstAppend);
        sorted.verdicts.push(verdict(fix.seq, "DUPLICATE"));
      } else if (sorted.fresh.length >= room) {
        sorted.retryAfterMs = PENDING_RETRY_MS;
        sorted.verdicts.push(verdict(fix.seq, "RATE_LIMITED"));
      } else {
        sorted.fresh.push(toFix(fix));
        sorted.verdicts.push(verdict(fix.seq, ageMs > limits.lateAfterMs ? "LATE" : "ACCEPTED"));
      }
    }
    const refused = distinct.length - allowed;
    if (refused > 0) sorted.retryAfterMs = Math.max(sorted.retryAfterMs, session.bucket.waitMs(refused), 1);
    return sorted;
  }

  #append(
    session: SessionState,
    sorted: Sorted,
    receivedAtMs: number,
    clockOffsetMs: number,
    traceparent: string,
  ): void {
    const { limits } = this.#deps;
    const { appender, party, sessionId, sessionEpoch, partition } = session;
    for (let start = 0; start < sorted.fresh.length; start += limits.maxFixesPerEntry) {
      const fixes = sorted.fresh.slice(start, start + limits.maxFixesPerEntry);
      const record = {
        kind: "fixBatch",
        party,
        sessionId,
        sessionEpoch,
        receivedAtMs,
        clockOffsetMs,
        fixes,
      } as const;
      const settled = appender.append(partition, record, traceparent).then(
        (fate) => {
          const seqs = fixes.map(({ seq }) => seq);
          if (fate.in === "spool") session.buffered.add(appender, fate.position, seqs);
          for (const seq of seqs) {
            if (fate.in === "log") session.durable.add(seq);
            session.pending.delete(seq);
          }
        },
        (error: unknown) => {
          for (const { seq } of fixes) session.pending.delete(seq);
          throw error;
        },
      );
      for (const { seq } of fixes) session.pending.set(seq, settled);
      sorted.waits.add(settled);
    }
  }
}

/** What would be durable but waits in the spool is BUFFERED, whichever copy of it came first. */
function markBuffered({ buffered }: SessionState, verdicts: Verdict[]): void {
  for (const one of verdicts) {
    const wouldBeDurable = one.code === "ACCEPTED" || one.code === "LATE" || one.code === "DUPLICATE";
    if (wouldBeDurable && buffered.has(one.seq)) one.code = "BUFFERED";
  }
}

function verdict(seq: number, code: VerdictCode): Verdict {
  return { seq, code, reason: "", field: "" };
}

function refusal(seq: number, { reason, field }: Fault): Verdict {
  return { seq, code: "INVALID", reason, field };
}
