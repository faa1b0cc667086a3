import { type Backoff, createBackoff } from "../client/backoff.ts";
import type { TokenKeeper } from "../client/token-keeper.ts";
import { pause, type WatchClock } from "../client/watch-clock.ts";
import type { DriverConnectionReason } from "./connection.ts";
import type { Link, LinkEnd } from "./link.ts";
import { CONNECTION_LOST, type DriverTransport, type DriverTransportName } from "./transport.ts";

/** Links that broke sooner than this count as flapping. */
const FLAP_MS = 10_000;
/** So many of them in a row on one rung, and the next rung is tried. */
const MAX_FLAPS = 3;
/** Ceilings of the wait before a better way is probed; waits lie in the upper half. */
const PROBE_BASE_MS = 15_000;
const PROBE_CAP_MS = 300_000;
/** A link on the wake of a device that heard nothing for so long is opened anew. */
const WAKE_SILENCE_MS = 5_000;

export type DriverLadderOptions = {
  /** Ways to a gateway, best first, at least one; asked before each connection. */
  rungs(token: string): Promise<readonly DriverTransport[]>;
  tokens: TokenKeeper;
  clock: WatchClock;
  random: () => number;
  /** False while nothing is to be tried: no network, or superseded. */
  mayConnect(): boolean;
  open(transport: DriverTransport, token: string): Link;
  /** A link ended; `heard` false: this gateway does not answer. */
  onEnd(end: LinkEnd): void;
  onConnection(transport: DriverTransportName | undefined, reason: DriverConnectionReason): void;
};

/**
 * Connect, fall back, climb back: WebSocket first, batches where that does not get through. One link at a time, one more
 * while probing; both feed the same state. After the last rung it waits with full jitter and starts at the top.
 */
export class DriverLadder {
  readonly #options: DriverLadderOptions;
  readonly #backoff: Backoff;
  readonly #closing = new AbortController();
  #wakeUp = new AbortController();
  #active: Link | undefined;
  #refusals = 0;
  #flaps = 0;

  constructor(options: DriverLadderOptions) {
    this.#options = options;
    this.#backoff = createBackoff(options.random);
  }

  /** Runs until closed. Never rejects. */
  async run(): Promise<void> {
    const { tokens, mayConnect } = this.#options;
    for (let rung = 0; !this.#isClosing; ) {
      if (!mayConnect()) {
        await this.#woken();
        continue;
      }
      let token: string;
      try {
        token = await tokens.get();
      } catch {
        // The token's source failed; the reason is the source's to show. The wait grows with every failure.
        await this.#rest("no-token");
        continue;
      }
      const rungs = await this.#options.rungs(token);
      if (this.#isClosing || !mayConnect()) continue;
      rung = Math.min(rung, rungs.length - 1);
      const served = await this.#serve(rungs, rung, token);
      if (!this.#isClosing && mayConnect())
        rung = await this.#afterwards(served.end, served.rung, rungs.length);
    }
  }

  /** A message came: the next failure is the first again. */
  heard(): void {
    this.#backoff.reset();
    this.#refusals = 0;
  }

  /** Ends every wait, and doubts a silent link. */
  wake(): void {
    const old = this.#wakeUp;
    this.#wakeUp = new AbortController();
    old.abort();
    if (this.#active?.transport.isStream && this.#active.silentForMs() > WAKE_SILENCE_MS)
      this.#active.cut("renewal");
  }

  /** Leaves the link in order and opens the next. */
  renew(): void {
    this.#active?.close("renewal");
  }

  /** Breaks the link off; whether another is tried is for mayConnect to say. */
  cut(): void {
    this.#active?.cut("renewal");
  }

  /** Ends everything. Resolves when the last link is over. */
  async close(): Promise<void> {
    const active = this.#active;
    this.#closing.abort();
    this.#wakeUp.abort();
    active?.close("stopped");
    await active?.ended;
  }

  get #isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Serves on the rung, climbing while it lasts; tells how it ended and where. */
  async #serve(
    rungs: readonly DriverTransport[],
    first: number,
    token: string,
  ): Promise<{ end: LinkEnd; rung: number }> {
    let rung = first;
    let link = this.#open(rungs[rung]!, token);
    for (let attempt = 0; ; attempt++) {
      void this.#announce(link, rung);
      if (rung === 0) break;
      const probing = new AbortController();
      const ceilingMs = Math.min(PROBE_CAP_MS, PROBE_BASE_MS * 2 ** Math.min(attempt, 20));
      const probed = this.#probe(rungs, rung, ceilingMs * (0.5 + this.#options.random() / 2), probing.signal);
      const found = await Promise.race([link.ended, probed]);
      if (found && "link" in found) {
        link.close("stopped");
        [link, rung, attempt] = [found.link, found.rung, -1];
        this.#active = link;
      } else if (found) {
        probing.abort();
        // The probe may have succeeded in the same moment: its link is not wanted any more.
        void probed.then((late) => late?.link.cut("stopped"));
        break;
      }
    }
    const end = await link.ended;
    this.#options.onEnd(end);
    return { end, rung };
  }

  #open(transport: DriverTransport, token: string): Link {
    this.#active = this.#options.open(transport, token);
    return this.#active;
  }

  async #announce(link: Link, rung: number): Promise<void> {
    if ((await link.heard) && this.#active === link && this.#options.mayConnect())
      this.#options.onConnection(link.transport.name, rung === 0 ? "connected" : "fallback");
  }

  /** Waits, then tries the rungs above, best first; the link that was heard, or undefined. */
  async #probe(
    rungs: readonly DriverTransport[],
    rung: number,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<{ link: Link; rung: number } | undefined> {
    await pause(
      this.#options.clock,
      waitMs,
      AbortSignal.any([signal, this.#closing.signal, this.#wakeUp.signal]),
    );
    for (let better = 0; better < rung && !signal.aborted && !this.#isClosing; better++) {
      const token = await this.#options.tokens.get().catch(() => undefined);
      if (token === undefined || signal.aborted || this.#isClosing) return undefined;
      const link = this.#options.open(rungs[better]!, token);
      if ((await link.heard) && !signal.aborted && !this.#isClosing) return { link, rung: better };
      link.cut("stopped");
    }
    return undefined;
  }

  /** The rung to go on with, when it is time to. */
  async #afterwards(end: LinkEnd, rung: number, rungs: number): Promise<number> {
    const next = rung + 1 < rungs ? rung + 1 : undefined;
    if (end.kind === "renewal") return rung;
    if (end.code.startsWith("TOKEN_")) {
      this.#options.tokens.forget();
      if (this.#refusals++ > 0) await this.#rest("refused");
      return rung;
    }
    if (!end.heard && end.code === CONNECTION_LOST) {
      if (next !== undefined) return next;
      await this.#rest("unreachable");
      return 0;
    }
    this.#flaps = end.durationMs < FLAP_MS ? this.#flaps + 1 : 0;
    if (this.#flaps >= MAX_FLAPS && next !== undefined) {
      this.#flaps = 0;
      return next;
    }
    await this.#rest("reconnecting");
    return rung;
  }

  async #rest(reason: DriverConnectionReason): Promise<void> {
    this.#options.onConnection(undefined, reason);
    const signal = AbortSignal.any([this.#closing.signal, this.#wakeUp.signal]);
    await pause(this.#options.clock, this.#backoff.next(), signal);
  }

  #woken(): Promise<void> {
    const { signal } = this.#wakeUp;
    return new Promise((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}
