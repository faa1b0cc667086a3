import type { WatchTarget, WatchTripsResponse } from "../../gen/bimride/tracking/v1/live_pb.ts";
import { createBackoff } from "./backoff.ts";
import type { ConnectionReason } from "./connection.ts";
import { type Session, type SessionEnd, startSession } from "./session.ts";
import type { TokenKeeper } from "./token-keeper.ts";
import type { Transport } from "./transport.ts";
import { pause, type WatchClock } from "./watch-clock.ts";

/** Times of the ladder, milliseconds. */
export type LadderTimes = {
  /** A stream or WebSocket without a first message for so long does not get through. */
  connectTimeoutMs: number;
  /** The same while probing, and for polling: nothing waits for it. */
  patientTimeoutMs: number;
  /** Silence after which a session is dead: a little over two heartbeats. */
  silenceLimitMs: number;
  /** Ceiling of the first wait before a better way is probed; doubles up to probeCapMs. Waits lie in its upper half. */
  probeBaseMs: number;
  probeCapMs: number;
};

/** Sessions that broke sooner than this count as flapping. */
const FLAP_MS = 10_000;
/** So many of them in a row on one rung, and the next rung is tried. */
const MAX_FLAPS = 3;
/** A session on the wake of a device that heard nothing for so long is opened anew. */
const WAKE_SILENCE_MS = 5_000;

export type LadderOptions = {
  /** Best first, at least one. */
  rungs: readonly Transport[];
  tokens: TokenKeeper;
  clock: WatchClock;
  random: () => number;
  times: LadderTimes;
  /** What to ask for now; the ladder ends when there is nothing. */
  targets(): WatchTarget[];
  onMessage(message: WatchTripsResponse): void;
  onConnection(transport: Transport["name"] | "offline", reason: ConnectionReason): void;
};

/**
 * Connect, resume, fall back, climb back. One session at a time, one more while probing. A rung that brings no message
 * is left for the next one at once; after the last one the ladder waits (full jitter) and starts at the top. Both
 * sessions of a climb feed the same state, which takes only newer versions, so nothing is lost or shown twice.
 */
export function createLadder(options: LadderOptions) {
  const { rungs, tokens, clock, random, times } = options;
  const closing = new AbortController();
  const backoff = createBackoff(random);
  let wakeUp = new AbortController();
  let active: Session | undefined;
  let refusals = 0;
  let flaps = 0;

  function open(rung: number, probing: boolean): Session {
    const transport = rungs[rung]!;
    const patient = probing || transport.name === "polling";
    return startSession({
      transport,
      targets: options.targets(),
      tokens,
      clock,
      connectTimeoutMs: patient ? times.patientTimeoutMs : times.connectTimeoutMs,
      silenceLimitMs: times.silenceLimitMs,
      onMessage(message) {
        backoff.reset();
        refusals = 0;
        options.onMessage(message);
        if (options.targets().length === 0) active?.stop();
      },
    });
  }

  /** Waits, then tries the rungs above `rung`, best first; the session that was heard, or undefined. */
  async function probe(
    rung: number,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<{ session: Session; rung: number } | undefined> {
    await pause(clock, waitMs, AbortSignal.any([signal, wakeUp.signal]));
    for (let better = 0; better < rung && !signal.aborted; better++) {
      const session = open(better, true);
      const cancel = () => session.stop();
      signal.addEventListener("abort", cancel, { once: true });
      const heard = await session.heard;
      signal.removeEventListener("abort", cancel);
      if (heard && !signal.aborted) return { session, rung: better };
      session.stop();
    }
    return undefined;
  }

  /** Serves from `rung`, climbing while it lasts; tells how it ended and on which rung. */
  async function serve(rung: number): Promise<{ end: SessionEnd; rung: number }> {
    let current = open(rung, false);
    active = current;
    if (await current.heard) announce(rung);
    for (let attempt = 0; rung > 0; attempt++) {
      const ceilingMs = Math.min(times.probeCapMs, times.probeBaseMs * 2 ** Math.min(attempt, 20));
      const probing = new AbortController();
      const probed = probe(rung, ceilingMs * (0.5 + random() / 2), probing.signal);
      const found = await Promise.race([current.ended, probed]);
      if (found && "session" in found) {
        current.stop();
        current = found.session;
        active = current;
        rung = found.rung;
        announce(rung);
        attempt = -1;
      } else if (found) {
        probing.abort();
        // The probe may have succeeded in the same moment: its session is not wanted any more.
        void probed.then((late) => late?.session.stop());
        break;
      }
    }
    return { end: await current.ended, rung };
  }

  function announce(rung: number): void {
    options.onConnection(rungs[rung]!.name, rung === 0 ? "connected" : "fallback");
  }

  async function rest(reason: ConnectionReason): Promise<void> {
    options.onConnection("offline", reason);
    await pause(clock, backoff.next(), AbortSignal.any([closing.signal, wakeUp.signal]));
  }

  /** The rung to go on with after a session ended, when it is time to. */
  async function afterwards(end: SessionEnd, rung: number): Promise<number> {
    if (end.kind === "renewal" && end.durationMs >= 1000) return rung;
    if (end.kind === "unauthenticated" || end.kind === "renewal") {
      tokens.forget();
      if (refusals++ > 0) await rest("refused");
      return rung;
    }
    if (!end.heard) {
      if (rung + 1 < rungs.length) return rung + 1;
      await rest("unreachable");
      return 0;
    }
    flaps = end.durationMs < FLAP_MS ? flaps + 1 : 0;
    if (flaps >= MAX_FLAPS) {
      flaps = 0;
      if (rung + 1 < rungs.length) return rung + 1;
    }
    await rest("reconnecting");
    return rung;
  }

  async function run(): Promise<void> {
    let rung = 0;
    while (!closing.signal.aborted && options.targets().length > 0) {
      try {
        await tokens.get();
      } catch {
        // The token's source failed; the reason is the source's to show. The wait grows with every failure.
        await rest("no-token");
        continue;
      }
      const served = await serve(rung);
      if (closing.signal.aborted || options.targets().length === 0) break;
      rung = await afterwards(served.end, served.rung);
    }
    options.onConnection("offline", "finished");
  }

  return {
    /** Runs until closed or until there is nothing to watch. Never rejects. */
    run,
    /** The network came back or the page is seen again: end every wait, and doubt a silent session. */
    wake(): void {
      const old = wakeUp;
      wakeUp = new AbortController();
      old.abort();
      if (active && active.silentForMs() > WAKE_SILENCE_MS) active.stop("renewal");
    },
    /** Opens the session anew, e.g. because a trip that was not to be had may be by now. */
    reopen(): void {
      active?.stop("renewal");
    },
    close(): void {
      closing.abort();
      active?.stop();
    },
  };
}
