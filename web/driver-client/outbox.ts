import { type Ack, type Verdict, VerdictCode } from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { WatchClock } from "../client/watch-clock.ts";
import { FixBuffer } from "./fix-buffer.ts";
import type { StoredFix } from "./fix-store.ts";
import type { Journal } from "./journal.ts";
import { Leftovers, type LeftoversOptions } from "./leftovers.ts";
import type { Link } from "./link.ts";
import { type CapturedFix, capture, type Position } from "./position.ts";
import { Sender } from "./sender.ts";

export type OutboxOptions = Omit<LeftoversOptions, "onSettled"> & {
  journal: Journal;
  /** What the journal had. */
  fixes: readonly StoredFix[];
  maxFixes: number;
  clock: WatchClock;
  assignmentVersion(): bigint;
  /** The session had to be left for a new one: the link is of the old one. */
  onNewSession(): void;
  /** How many are kept, settled or lost has changed. */
  onChange(): void;
  onRefused(fix: CapturedFix, reason: string, field: string): void;
  onDropped(count: number): void;
};

/**
 * Everything that is to be sent: the fixes of the session that runs, and what is left of earlier ones. A fix is in here, and
 * in the store, from its capture until a gateway settles it.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #journal: Journal;
  readonly #leftovers: Leftovers;
  readonly #sender: Sender;
  #buffer: FixBuffer;
  #newest: CapturedFix | undefined;
  /** Fixes since the start: durable or refused; those refused; those that the full buffer lost. */
  settled = 0;
  refusals = 0;
  dropped = 0;

  constructor(options: OutboxOptions) {
    const { journal, fixes, clock, assignmentVersion } = options;
    this.#options = options;
    this.#journal = journal;
    const buffers = bySession(fixes);
    this.#buffer = buffers.get(journal.sessionId) ?? new FixBuffer();
    buffers.delete(journal.sessionId);
    this.#newest = this.#buffer.newest;
    this.#leftovers = new Leftovers({
      ...options,
      onSettled: (sessionId, fix, verdict) => this.#onSettled(sessionId, fix, verdict),
    });
    for (const [sessionId, buffer] of buffers) this.#leftovers.add(sessionId, buffer);
    this.#sender = new Sender(this.#buffer, {
      ...{ clock, assignmentVersion },
      onSettled: (fix, verdict) => this.#onSettled(journal.sessionId, fix, verdict),
    });
  }

  /** To be called once, when the rest stands. */
  start(): void {
    this.#leftovers.run();
  }

  /** Fixes that are not known to be durable. */
  get unsent(): number {
    return this.#buffer.size + this.#leftovers.size;
  }

  /** Where the device was last, as far as this object saw it. */
  get newest(): CapturedFix | undefined {
    return this.#newest;
  }

  /** Numbers a position, keeps it, and sends it if there is a link. */
  record(position: Position): CapturedFix {
    let seq = this.#journal.takeSeq();
    if (seq === undefined) {
      this.leaveSession();
      this.startSession();
      seq = this.#journal.takeSeq() ?? 0;
      this.#options.onNewSession();
    }
    const fix = capture(position, seq, this.#options.clock.now());
    this.#newest = fix;
    this.#buffer.add(fix);
    this.#journal.keep(fix);
    if (this.unsent > this.#options.maxFixes) this.#thinOut();
    this.#sender.captured(seq);
    this.#options.onChange();
    return fix;
  }

  /** What is unsent of the session that runs goes out without a stream. */
  leaveSession(): void {
    const buffer = this.#buffer;
    this.#buffer = new FixBuffer();
    this.#sender.use(this.#buffer);
    this.#leftovers.add(this.#journal.sessionId, buffer);
    this.#leftovers.run();
  }

  /** Fixes are captured in a new session from now on. */
  startSession(): void {
    this.#journal.renew();
  }

  /** A fix that may be sent again at no cost, as a message; undefined before there is one. */
  repeat() {
    return this.#sender.repeat();
  }

  attach(link: Link): void {
    this.#sender.attach(link);
  }

  detach(link: Link): void {
    this.#sender.detach(link);
  }

  acked(ack: Ack, link: Link): void {
    this.#sender.acked(ack, link);
  }

  refused(batchId: number, link: Link): void {
    this.#sender.refused(batchId, link);
  }

  /** The network may be back: what is left of earlier sessions is tried at once. */
  wake(): void {
    this.#leftovers.wake();
  }

  async close(): Promise<void> {
    await this.#leftovers.close();
    this.#sender.close();
    await this.#journal.close();
  }

  #onSettled(sessionId: string, fix: CapturedFix, { code, reason, field }: Verdict): void {
    this.#journal.forget(sessionId, [fix.seq]);
    this.settled++;
    if (code === VerdictCode.INVALID) {
      this.refusals++;
      this.#options.onRefused(fix, reason, field);
    }
    this.#options.onChange();
  }

  #thinOut(): void {
    const old = this.#leftovers.thinOut();
    const { sessionId, seqs } = old ?? { sessionId: this.#journal.sessionId, seqs: this.#buffer.thinOut() };
    if (seqs.length === 0) return;
    this.#journal.forget(sessionId, seqs);
    this.dropped += seqs.length;
    this.#options.onDropped(seqs.length);
  }
}

function bySession(fixes: readonly StoredFix[]): Map<string, FixBuffer> {
  const buffers = new Map<string, FixBuffer>();
  for (const { sessionId, fix } of fixes) {
    const buffer = buffers.get(sessionId) ?? new FixBuffer();
    buffers.set(sessionId, buffer);
    buffer.add(fix);
  }
  return buffers;
}
