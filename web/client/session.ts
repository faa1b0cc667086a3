import type { WatchTarget, WatchTripsResponse } from "../../gen/bimride/tracking/v1/live_pb.ts";
import type { TokenKeeper } from "./token-keeper.ts";
import { type Transport, WatchFailure } from "./transport.ts";
import type { WatchClock } from "./watch-clock.ts";

/** Why a session ended. `renewal`: to go on with a fresh token; `stopped`: by its owner. */
export type SessionEnd = {
  kind: "closed" | "failed" | "silent" | "unauthenticated" | "renewal" | "stopped";
  /** True when at least one message came. */
  heard: boolean;
  /** From the start of the session to its end, milliseconds. */
  durationMs: number;
};

/** A running session. */
export type Session = {
  /** Resolves to true with the first message, to false when the session ends without one. Never rejects. */
  heard: Promise<boolean>;
  /** Never rejects. */
  ended: Promise<SessionEnd>;
  /** How long nothing came, milliseconds. */
  silentForMs(): number;
  stop(kind?: "stopped" | "renewal"): void;
};

export type SessionOptions = {
  transport: Transport;
  targets: WatchTarget[];
  tokens: TokenKeeper;
  clock: WatchClock;
  /** Without a first message for so long the session failed, milliseconds. */
  connectTimeoutMs: number;
  /** Without a further message for so long the session is dead, milliseconds. */
  silenceLimitMs: number;
  onMessage(message: WatchTripsResponse): void;
};

/** A third of a token's remaining life, but at most this, is kept for its renewal. */
const RENEWAL_MARGIN_MS = 30_000;

/** Opens a session and watches over it: first message in time, no long silence, token renewed before it expires. */
export function startSession(options: SessionOptions): Session {
  const { transport, tokens, clock } = options;
  const controller = new AbortController();
  const startedAt = clock.monotonic();
  let lastHeardAt: number | undefined;
  let stopKind: SessionEnd["kind"] | undefined;
  let cancelSilence = clock.after(options.connectTimeoutMs, () => stop("silent"));
  let cancelRenewal: () => void = () => {};
  let settleHeard: (heard: boolean) => void = () => {};
  const heard = new Promise<boolean>((resolve) => {
    settleHeard = resolve;
  });

  function stop(kind: SessionEnd["kind"]): void {
    stopKind ??= kind;
    controller.abort();
  }
  function scheduleRenewal(watchId: string, lifeMs: number): void {
    cancelRenewal();
    const marginMs = Math.min(RENEWAL_MARGIN_MS, lifeMs / 3);
    // Timers hold at most 2^31 − 1 ms; a watch that long is asked again before.
    cancelRenewal = clock.after(Math.min(Math.max(0, lifeMs - marginMs), 0x7fffffff), () => renew(watchId));
  }
  async function renew(watchId: string): Promise<void> {
    try {
      if (!transport.refresh || watchId === "") return stop("renewal");
      const before = serverNow();
      const endMs = await transport.refresh(watchId, await tokens.renew(), controller.signal);
      if (!controller.signal.aborted) scheduleRenewal(watchId, endMs - before);
    } catch {
      // A fresh session with a fresh token does the same; its failure, if any, is then counted by the ladder.
      stop("renewal");
    }
  }
  let serverOffsetMs = 0;
  const serverNow = () => clock.monotonic() + serverOffsetMs;

  function onMessage(response: WatchTripsResponse): void {
    lastHeardAt = clock.monotonic();
    cancelSilence();
    cancelSilence = clock.after(options.silenceLimitMs, () => stop("silent"));
    if (response.message.case === "started") {
      const { watchId, expiresAtMs, serverTimeMs } = response.message.value;
      serverOffsetMs = Number(serverTimeMs) - clock.monotonic();
      if (expiresAtMs > 0n) scheduleRenewal(watchId, Number(expiresAtMs - serverTimeMs));
    }
    options.onMessage(response);
    settleHeard(true);
  }

  async function run(): Promise<SessionEnd> {
    let kind: SessionEnd["kind"] = "closed";
    try {
      await readUntilAborted(
        transport.open({ targets: options.targets, token: () => tokens.get(), signal: controller.signal }),
        controller.signal,
        onMessage,
      );
    } catch (error) {
      kind = error instanceof WatchFailure && error.unauthenticated ? "unauthenticated" : "failed";
    }
    cancelSilence();
    cancelRenewal();
    controller.abort();
    settleHeard(false);
    const wasHeard = lastHeardAt !== undefined;
    return { kind: stopKind ?? kind, heard: wasHeard, durationMs: clock.monotonic() - startedAt };
  }

  return {
    heard,
    ended: run(),
    silentForMs: () => clock.monotonic() - (lastHeardAt ?? startedAt),
    stop: (kind = "stopped") => stop(kind),
  };
}

/** Reads until the end or the abort, also from an iterable that does not heed its signal. */
async function readUntilAborted(
  messages: AsyncIterable<WatchTripsResponse>,
  signal: AbortSignal,
  onMessage: (message: WatchTripsResponse) => void,
): Promise<void> {
  const iterator = messages[Symbol.asyncIterator]();
  const aborted = new Promise<undefined>((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  for (;;) {
    const next = iterator.next();
    const result = await Promise.race([next, aborted]);
    if (result === undefined) {
      // The reader has left: what its last read comes to is nobody's concern any more.
      next.catch(() => {});
      iterator.return?.().catch(() => {});
      return;
    }
    if (result.done) return;
    if (!signal.aborted) onMessage(result.value);
  }
}
