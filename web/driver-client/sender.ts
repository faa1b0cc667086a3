import { create } from "@bufbuild/protobuf";
import {
  type Ack,
  FixBatchSchema,
  type Verdict,
  VerdictCode,
} from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { WatchClock } from "../client/watch-clock.ts";
import type { FixBuffer } from "./fix-buffer.ts";
import type { Link } from "./link.ts";
import { type CapturedFix, toWire } from "./position.ts";

/** Fixes of one backfill batch: little enough that a live fix never waits long behind it on a slow line. */
const BACKFILL_FIXES = 200;
/** Live batches under way at a time; further fixes wait for the next backfill batch, which has the newest first. */
const MAX_LIVE_BATCHES = 8;
/** Wait after a batch was not taken and nobody said how long. */
const RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;
/** A fix that lies on a gateway's disk is asked after when nothing was heard of it for so long. */
const BUFFERED_AGAIN_MS = 120_000;

type Batch = { seqs: number[]; kind: "live" | "backfill" };

export type SenderOptions = {
  clock: WatchClock;
  /** Version of the assignment that the app knows. */
  assignmentVersion(): bigint;
  /** Durable, or refused for good with a reason. */
  onSettled(fix: CapturedFix, verdict: Verdict): void;
};

/**
 * Sends one session's fixes over whichever link stands: a live fix at once and alone, what has piled up newest first, one
 * batch at a time, so that it never stands in the way of live ones. Each fix is kept until its verdict settles it.
 */
export class Sender {
  readonly #options: SenderOptions;
  #buffer: FixBuffer;
  #link: Link | undefined;
  #batchId = 0;
  readonly #batches = new Map<number, Batch>();
  #holdUntil = Number.NEGATIVE_INFINITY;
  #refusals = 0;
  #cancelHold: () => void = () => {};
  #cancelBuffered: (() => void) | undefined;
  #lastSettled: CapturedFix | undefined;

  constructor(buffer: FixBuffer, options: SenderOptions) {
    this.#buffer = buffer;
    this.#options = options;
  }

  /** The fix settled last: sending it again is answered and stored nowhere. */
  get lastSettled(): CapturedFix | undefined {
    return this.#lastSettled;
  }

  /** Goes on with the fixes of another session, without a link. */
  use(buffer: FixBuffer): void {
    this.detach();
    this.#buffer = buffer;
    this.#lastSettled = undefined;
  }

  /** From now on over this link; what another one did not answer is sent again. */
  attach(link: Link): void {
    if (this.#link === link) return;
    this.detach();
    this.#link = link;
    // The newest goes ahead, alone, so that whoever watches has it first.
    const [newest] = link.transport.isStream ? this.#buffer.take(1) : [];
    if (newest) this.#send([newest], "live");
    this.#pump();
  }

  /** The link is gone, if this one was in use. */
  detach(link: Link | undefined = this.#link): void {
    if (!link || link !== this.#link) return;
    this.#link = undefined;
    this.#batches.clear();
    this.#buffer.giveBackAll();
    this.#release();
    this.#cancelBuffered?.();
    this.#cancelBuffered = undefined;
  }

  /** A fix was captured. */
  captured(seq: number): void {
    const link = this.#link;
    if (!link || this.#isHeld) return;
    const live = [...this.#batches.values()].filter(({ kind }) => kind === "live").length;
    const atOnce = link.transport.isStream && live < MAX_LIVE_BATCHES;
    const fix = atOnce ? this.#buffer.takeOne(seq) : undefined;
    if (fix) this.#send([fix], "live");
    else this.#pump();
  }

  /** A message that must be answered and changes nothing; undefined before a fix was settled. */
  repeat() {
    if (!this.#lastSettled) return undefined;
    return this.#batchOf([this.#lastSettled]);
  }

  acked(ack: Ack, link: Link): void {
    if (link !== this.#link) {
      this.#settleAll(ack);
      return;
    }
    const batch = this.#batches.get(ack.batchId);
    this.#batches.delete(ack.batchId);
    const limited = this.#settleAll(ack);
    if (limited > 0) this.#hold(Math.max(RETRY_MS, ack.retryAfterMs));
    else if (batch) this.#refusals = 0;
    if (batch) this.#buffer.giveBack(ack.verdicts.flatMap((each) => (isLimited(each) ? [each.seq] : [])));
    this.#pump();
  }

  /** The batch was not taken, whatever the reason: its fixes wait for a moment. */
  refused(batchId: number, link: Link): void {
    const batch = link === this.#link ? this.#batches.get(batchId) : undefined;
    if (!batch) return;
    this.#batches.delete(batchId);
    this.#buffer.giveBack(batch.seqs);
    this.#hold(Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** Math.min(this.#refusals++, 10)));
  }

  /** Sends nothing more. */
  close(): void {
    this.detach();
    this.#release();
  }

  get #isHeld(): boolean {
    return this.#options.clock.monotonic() < this.#holdUntil;
  }

  #pump(): void {
    const link = this.#link;
    if (!link || this.#isHeld) return;
    const busy = [...this.#batches.values()].some(({ kind }) => kind === "backfill");
    if (busy) return;
    const fixes = this.#buffer.take(BACKFILL_FIXES);
    if (fixes.length > 0) this.#send(fixes, "backfill");
  }

  #send(fixes: CapturedFix[], kind: Batch["kind"]): void {
    const message = this.#batchOf(fixes);
    this.#batches.set(message.value.batchId, { seqs: fixes.map(({ seq }) => seq), kind });
    this.#link?.send(message);
  }

  #batchOf(fixes: readonly CapturedFix[]) {
    const value = create(FixBatchSchema, {
      fixes: fixes.map(toWire),
      deviceTimeMs: BigInt(Math.round(this.#options.clock.now())),
      batchId: ++this.#batchId,
      assignmentVersion: this.#options.assignmentVersion(),
    });
    return { case: "fixes", value } as const;
  }

  /** Takes the verdicts in; how many were refused for now. */
  #settleAll({ verdicts }: Ack): number {
    let limited = 0;
    for (const verdict of verdicts) {
      if (isLimited(verdict)) limited++;
      else if (verdict.code === VerdictCode.BUFFERED) {
        this.#buffer.markBuffered(verdict.seq);
        this.#askAfterBuffered();
      } else this.#settle(verdict);
    }
    return limited;
  }

  #settle(verdict: Verdict): void {
    const fix = this.#buffer.settle(verdict.seq);
    if (!fix) return;
    if (verdict.code !== VerdictCode.INVALID) this.#lastSettled = fix;
    this.#options.onSettled(fix, verdict);
  }

  #hold(forMs: number): void {
    this.#cancelHold();
    this.#holdUntil = this.#options.clock.monotonic() + forMs;
    this.#cancelHold = this.#options.clock.after(forMs, () => {
      this.#release();
      this.#pump();
    });
  }

  #release(): void {
    this.#cancelHold();
    this.#holdUntil = Number.NEGATIVE_INFINITY;
  }

  #askAfterBuffered(): void {
    this.#cancelBuffered ??= this.#options.clock.after(BUFFERED_AGAIN_MS, () => {
      this.#cancelBuffered = undefined;
      this.#buffer.giveBack(this.#buffer.buffered);
      this.#pump();
    });
  }
}

function isLimited({ code }: Verdict): boolean {
  return code === VerdictCode.RATE_LIMITED;
}
