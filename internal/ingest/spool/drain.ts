import { asBimrideError } from "../../core/errors.ts";
import { type Clock, sleep } from "../../core/time.ts";
import type { Spool, Taken } from "./spool.ts";

/** Records read ahead, so that a slow partition does not hold the others up. */
const MAX_READ_AHEAD = 256;
/** The pace: a backlog must not crowd out what other gateways append now. Some 50,000 fixes/s. */
const MAX_BYTES_PER_SECOND = 4 << 20;
/** Sent ahead of the pace before it is waited for, milliseconds' worth. */
const PACE_SLACK_MS = 100;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 2_000;

export type DrainOptions = {
  spool: Spool;
  /** Appends to the log; rejects while it can't. */
  append(partition: number, body: Uint8Array): Promise<unknown>;
  /** Clock of pauses. */
  ioClock: Clock;
  /** Records reached the log. */
  onProgress(): void;
};

/**
 * Moves a spool into the log. Per partition one record at a time, so that nothing overtakes one that has to be sent
 * again; partitions beside each other. While the log refuses, one record at a time asks whether it is back.
 */
export class Drain {
  readonly #options: DrainOptions;
  /** Read, not yet in the log: per partition, oldest first. */
  readonly #lanes = new Map<number, Taken[]>();
  readonly #busy = new Set<number>();
  #ahead = 0;
  #logWorks = false;
  #retryMs = RETRY_MIN_MS;
  #paidUntilMs = 0;
  #wake: () => void = () => {};

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  /** True while the log took the last record that was offered. */
  get logWorks(): boolean {
    return this.#logWorks;
  }

  /** Resolves once the log has all that is on the disk, or when the signal aborts and nothing is under way any more. */
  async run(signal: AbortSignal): Promise<void> {
    const { spool } = this.#options;
    while (!signal.aborted) {
      await this.#readAhead();
      if (this.#ahead === 0) break;
      if (await this.#pause(signal)) continue;
      const settled = this.#nextSettled();
      this.#offer();
      await settled;
      await spool.tidy();
    }
    while (this.#busy.size > 0) await this.#nextSettled();
    await spool.tidy();
  }

  #nextSettled(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  async #readAhead(): Promise<void> {
    while (this.#ahead < MAX_READ_AHEAD) {
      const taken = await this.#options.spool.take();
      if (!taken) return;
      const lane = this.#lanes.get(taken.partition);
      if (lane) lane.push(taken);
      else this.#lanes.set(taken.partition, [taken]);
      this.#ahead++;
    }
  }

  /** Waits for the retry or the pace while nothing is under way; true when it did. */
  async #pause(signal: AbortSignal): Promise<boolean> {
    const waitMs = this.#waitMs();
    if (waitMs <= 0 || this.#busy.size > 0) return false;
    await sleep(this.#options.ioClock, waitMs, signal);
    return true;
  }

  #waitMs(): number {
    return this.#paidUntilMs - this.#options.ioClock.monotonic() - (this.#logWorks ? PACE_SLACK_MS : 0);
  }

  #offer(): void {
    for (const [partition, lane] of this.#lanes) {
      if (this.#busy.size > 0 && (!this.#logWorks || this.#waitMs() > 0)) return;
      const head = lane[0];
      if (head && !this.#busy.has(partition)) this.#send(head, lane);
    }
  }

  #send(head: Taken, lane: Taken[]): void {
    const { ioClock, append, spool } = this.#options;
    this.#busy.add(head.partition);
    const nowMs = ioClock.monotonic();
    this.#paidUntilMs =
      Math.max(nowMs, this.#paidUntilMs) + (head.body.byteLength * 1_000) / MAX_BYTES_PER_SECOND;
    append(head.partition, head.body).then(
      () => {
        lane.shift();
        if (lane.length === 0) this.#lanes.delete(head.partition);
        this.#ahead--;
        spool.done(head);
        this.#settled(head, true);
        this.#options.onProgress();
      },
      (cause: unknown) => {
        spool.report({ kind: "drainRefused", code: asBimrideError(cause).code, cause });
        // The next try is another partition's: one entry that the log never takes must not hold all of them up.
        this.#lanes.delete(head.partition);
        this.#lanes.set(head.partition, lane);
        this.#settled(head, false);
      },
    );
  }

  #settled({ partition }: Taken, taken: boolean): void {
    this.#busy.delete(partition);
    if (taken && this.#retryMs !== RETRY_MIN_MS) this.#paidUntilMs = 0;
    this.#logWorks = taken;
    if (taken) this.#retryMs = RETRY_MIN_MS;
    else {
      this.#paidUntilMs = this.#options.ioClock.monotonic() + this.#retryMs;
      this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2);
    }
    this.#wake();
  }
}
