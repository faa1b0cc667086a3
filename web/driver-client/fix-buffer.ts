import type { CapturedFix } from "./position.ts";

/** What is kept of one session, and what of it may be sent now. */
type Kept = { fix: CapturedFix; state: "waiting" | "sent" | "buffered" };

/**
 * The fixes of one session that are not known to be durable: each stays until it is settled. Those that wait go out
 * newest first. Pure memory; what outlives the process is the journal's business.
 */
export class FixBuffer {
  readonly #kept = new Map<number, Kept>();
  /** Seqs of the waiting, oldest first, and some that wait no more. */
  #waiting: number[] = [];
  #waitingCount = 0;
  /** Seqs were given back: the order of the waiting must be made anew. */
  #isMixed = false;

  constructor(fixes: Iterable<CapturedFix> = []) {
    for (const fix of fixes) this.add(fix);
  }

  /** Fixes that are kept. */
  get size(): number {
    return this.#kept.size;
  }

  /** Fixes that could be sent now. */
  get waiting(): number {
    return this.#waitingCount;
  }

  add(fix: CapturedFix): void {
    if (this.#kept.has(fix.seq)) return;
    this.#kept.set(fix.seq, { fix, state: "waiting" });
    this.#wait(fix.seq);
  }

  /** The newest of the waiting, newest first, at most so many; they count as sent. */
  take(most: number): CapturedFix[] {
    if (this.#isMixed) this.#order();
    const taken: CapturedFix[] = [];
    while (taken.length < most && this.#waiting.length > 0) {
      const kept = this.#kept.get(this.#waiting.pop()!);
      if (kept?.state !== "waiting") continue;
      kept.state = "sent";
      this.#waitingCount--;
      taken.push(kept.fix);
    }
    return taken;
  }

  /** Takes this one if it waits. */
  takeOne(seq: number): CapturedFix | undefined {
    const kept = this.#kept.get(seq);
    if (kept?.state !== "waiting") return undefined;
    kept.state = "sent";
    this.#waitingCount--;
    return kept.fix;
  }

  /** What was sent waits again: it got no verdict, or was refused for now. */
  giveBack(seqs: Iterable<number>): void {
    for (const seq of seqs) {
      const kept = this.#kept.get(seq);
      if (!kept || kept.state === "waiting") continue;
      kept.state = "waiting";
      this.#wait(seq);
    }
  }

  /** Whatever was sent or lies on a gateway's disk waits again: the link that would have told is gone. */
  giveBackAll(): void {
    this.giveBack([...this.#kept.keys()]);
  }

  /** A gateway has it on its disk: kept, but not sent again for now. */
  markBuffered(seq: number): void {
    const kept = this.#kept.get(seq);
    if (kept?.state === "sent") kept.state = "buffered";
  }

  /** Seqs that lie on a gateway's disk only. */
  get buffered(): number[] {
    return [...this.#kept].filter(([, { state }]) => state === "buffered").map(([seq]) => seq);
  }

  /** Forgets it: durable, or refused for good. The fix, or undefined when it was not kept. */
  settle(seq: number): CapturedFix | undefined {
    const kept = this.#kept.get(seq);
    if (!kept) return undefined;
    this.#kept.delete(seq);
    if (kept.state === "waiting") this.#waitingCount--;
    return kept.fix;
  }

  /**
   * Makes room: of the older half of those that wait every second one is forgotten, so that a long drive without a network
   * gets coarser instead of losing its beginning. The seqs that are gone.
   */
  thinOut(): number[] {
    this.#order();
    const half = this.#waiting.slice(0, Math.ceil(this.#waiting.length / 2));
    const gone = half.filter((_seq, index) => index % 2 === 1 || half.length === 1);
    for (const seq of gone) this.settle(seq);
    return gone;
  }

  /** The fix captured last, or undefined. */
  get newest(): CapturedFix | undefined {
    let newest: Kept | undefined;
    for (const kept of this.#kept.values()) if (!newest || kept.fix.seq > newest.fix.seq) newest = kept;
    return newest?.fix;
  }

  #wait(seq: number): void {
    if (this.#waiting.length > 0 && this.#waiting[this.#waiting.length - 1]! > seq) this.#isMixed = true;
    this.#waiting.push(seq);
    this.#waitingCount++;
    // Those that wait no more are passed over when it is their turn; they must not pile up until then.
    if (this.#waiting.length > 64 + 2 * this.#waitingCount) this.#order();
  }

  #order(): void {
    const still = new Set(this.#waiting.filter((seq) => this.#kept.get(seq)?.state === "waiting"));
    this.#waiting = [...still].sort((a, b) => a - b);
    this.#isMixed = false;
  }
}
