import { create } from "@bufbuild/protobuf";
import {
  type Ack,
  type Hello,
  PublishBatchRequestSchema,
  VerdictCode,
  VerdictSchema,
} from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import { type Backoff, createBackoff } from "../client/backoff.ts";
import type { TokenKeeper } from "../client/token-keeper.ts";
import { pause, type WatchClock } from "../client/watch-clock.ts";
import type { FixBuffer } from "./fix-buffer.ts";
import { type CapturedFix, toWire } from "./position.ts";
import { BatchFailure, type DriverTransport } from "./transport.ts";

/** Fixes of one batch. */
const BATCH_FIXES = 500;
/** Ceilings of the wait after a batch that got nowhere, milliseconds. */
const RETRY_BASE_MS = 2_000;
const RETRY_CAP_MS = 60_000;
/** Wait before fixes that lie on a gateway's disk are asked after. */
const BUFFERED_AGAIN_MS = 60_000;

export type LeftoversOptions = {
  /** A way to send batches without a stream; undefined when there is none, and leftovers stay. */
  batchTransport(token: string): Promise<DriverTransport | undefined>;
  tokens: TokenKeeper;
  clock: WatchClock;
  random: () => number;
  helloOf(sessionId: string): Hello;
  mayConnect(): boolean;
  onSettled(sessionId: string, fix: CapturedFix, verdict: Ack["verdicts"][number]): void;
};

/** Sends what is left of sessions that are over (another device took over, or a new session had to begin), in batches without a stream. */
export class Leftovers {
  readonly #options: LeftoversOptions;
  readonly #buffers = new Map<string, FixBuffer>();
  readonly #closing = new AbortController();
  readonly #backoff: Backoff;
  #wakeUp = new AbortController();
  #running: Promise<void> | undefined;
  /** The token that a batch was refused by with SESSION_REVOKED. */
  #refusedToken: string | undefined;

  constructor(options: LeftoversOptions) {
    this.#options = options;
    this.#backoff = createBackoff(options.random, RETRY_BASE_MS, RETRY_CAP_MS);
  }

  /** Fixes that are left. */
  get size(): number {
    let size = 0;
    for (const buffer of this.#buffers.values()) size += buffer.size;
    return size;
  }

  add(sessionId: string, buffer: FixBuffer): void {
    buffer.giveBackAll();
    if (buffer.size > 0) this.#buffers.set(sessionId, buffer);
  }

  /** Makes room, oldest session first: the session and the seqs that are gone. */
  thinOut(): { sessionId: string; seqs: number[] } | undefined {
    for (const [sessionId, buffer] of this.#buffers) {
      const seqs = buffer.thinOut();
      if (seqs.length > 0) return { sessionId, seqs };
    }
    return undefined;
  }

  /** Sends what is left until there is none, or closed. */
  run(): void {
    this.#running ??= this.#sendAll().finally(() => {
      this.#running = undefined;
    });
  }

  /** The network is back: tries at once. */
  wake(): void {
    const old = this.#wakeUp;
    this.#wakeUp = new AbortController();
    old.abort();
    this.run();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #sendAll(): Promise<void> {
    for (const [sessionId, buffer] of this.#buffers) {
      while (buffer.size > 0 && !this.#closing.signal.aborted) {
        const waitMs = this.#options.mayConnect()
          ? await this.#sendSome(sessionId, buffer)
          : this.#backoff.next();
        const signal = AbortSignal.any([this.#closing.signal, this.#wakeUp.signal]);
        if (waitMs > 0) await pause(this.#options.clock, waitMs, signal);
      }
      if (buffer.size === 0) this.#buffers.delete(sessionId);
    }
  }

  /** One batch. How long to wait before the next, milliseconds. */
  async #sendSome(sessionId: string, buffer: FixBuffer): Promise<number> {
    const { tokens, clock, helloOf, onSettled } = this.#options;
    const fixes = buffer.take(BATCH_FIXES);
    if (fixes.length === 0) {
      buffer.giveBackAll();
      return BUFFERED_AGAIN_MS;
    }
    let token: string | undefined;
    try {
      token = await tokens.get();
      const transport = await this.#options.batchTransport(token);
      const batch = { fixes: fixes.map(toWire), deviceTimeMs: BigInt(Math.round(clock.now())) };
      const request = create(PublishBatchRequestSchema, { hello: helloOf(sessionId), fixes: batch });
      const answer = await transport?.publishBatch?.(request, token, this.#closing.signal);
      if (!answer?.ack) throw new Error("there is no way to send batches");
      const open = new Set(fixes.map(({ seq }) => seq));
      for (const verdict of answer.ack.verdicts) {
        if (verdict.code === VerdictCode.RATE_LIMITED) continue;
        open.delete(verdict.seq);
        if (verdict.code === VerdictCode.BUFFERED) buffer.markBuffered(verdict.seq);
        else {
          const fix = buffer.settle(verdict.seq);
          if (fix) onSettled(sessionId, fix, verdict);
        }
      }
      buffer.giveBack(open);
      this.#backoff.reset();
      this.#refusedToken = undefined;
      return answer.ack.retryAfterMs;
    } catch (error) {
      const code = error instanceof BatchFailure ? error.code : "";
      if (code.startsWith("TOKEN_") || code === "SESSION_REVOKED") tokens.forget();
      if (code === "SESSION_REVOKED" && token !== undefined) {
        // By a token that was got after the first refusal: it is the session that is let in no more, not the sign-in.
        if (this.#refusedToken !== undefined && this.#refusedToken !== token) {
          this.#refuse(sessionId, buffer, fixes);
          return 0;
        }
        this.#refusedToken = token;
      }
      // Tried again with growing waits, however long it takes: that is what the buffer is for.
      buffer.giveBackAll();
      return this.#backoff.next();
    }
  }

  /** Settles fixes that the gateway will never take. */
  #refuse(sessionId: string, buffer: FixBuffer, fixes: readonly CapturedFix[]): void {
    for (const { seq } of fixes) {
      const fix = buffer.settle(seq);
      const verdict = { seq, code: VerdictCode.INVALID, reason: "SESSION_REVOKED" };
      if (fix) this.#options.onSettled(sessionId, fix, create(VerdictSchema, verdict));
    }
  }
}
