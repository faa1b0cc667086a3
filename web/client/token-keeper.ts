import type { WatchClock } from "./watch-clock.ts";

/** Keeps the newest token in memory and asks for another before it expires. */
export type TokenKeeper = {
  /** A token that is good as far as can be known. Rejects when the source does. */
  get(): Promise<string>;
  /** Forgets the token and gets another. */
  renew(): Promise<string>;
  /** Forgets the token: the server refused it. */
  forget(): void;
};

/** Seconds-based claims that matter here; undefined when the token is no JWT. Nothing is verified: that is the server's. */
function readClaims(token: string): { exp?: number; iat?: number } | undefined {
  const payload = token.split(".")[1];
  if (!payload) return undefined;
  try {
    const claims: unknown = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
    return typeof claims === "object" && claims !== null ? claims : undefined;
  } catch {
    // An opaque token is fine: it is then kept until the server refuses it.
    return undefined;
  }
}

/**
 * How long a token may be used, milliseconds: four fifths of its life. Its life is `exp − iat` where both are given, so
 * that a wrong device clock does not matter.
 */
function usableMs(token: string, nowMs: number): number {
  const claims = readClaims(token);
  if (claims?.exp === undefined) return Number.POSITIVE_INFINITY;
  const startS = claims.iat ?? nowMs / 1000;
  return Math.max(0, (claims.exp - startS) * 800);
}

/** Wraps a source of tokens. Concurrent callers share one request. */
export function createTokenKeeper(source: () => Promise<string>, clock: WatchClock): TokenKeeper {
  let kept: { token: string; goodUntil: number } | undefined;
  let pending: Promise<string> | undefined;

  function fetchToken(): Promise<string> {
    pending ??= (async () => {
      try {
        const token = await source();
        kept = { token, goodUntil: clock.monotonic() + usableMs(token, clock.now()) };
        return token;
      } finally {
        pending = undefined;
      }
    })();
    return pending;
  }
  const forget = () => {
    kept = undefined;
  };
  return {
    get: () => (kept && clock.monotonic() < kept.goodUntil ? Promise.resolve(kept.token) : fetchToken()),
    renew() {
      forget();
      return fetchToken();
    },
    forget,
  };
}
