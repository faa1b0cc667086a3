import { createHash } from "node:crypto";
import type { Principal } from "./principal.ts";

type Entry = { principal: Principal; goodUntilMs: number };

/**
 * Verified tokens by their SHA-256, so that a poll costs a hash instead of a signature check. Bounded: the longest unused
 * leaves. An entry is good for `maxAgeMs` (a key that was withdrawn is noticed by then) and never past the token's expiry.
 */
export class TokenCache {
  readonly #entries = new Map<string, Entry>();
  readonly #maxTokens: number;
  readonly #maxAgeMs: number;

  constructor(maxTokens: number, maxAgeMs: number) {
    this.#maxTokens = maxTokens;
    this.#maxAgeMs = maxAgeMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The principal of a token that was verified not long ago. */
  get(token: string, nowMs: number): Principal | undefined {
    const key = keyOf(token);
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    if (nowMs >= entry.goodUntilMs) return undefined;
    this.#entries.set(key, entry);
    return entry.principal;
  }

  put(token: string, principal: Principal, nowMs: number): void {
    const goodUntilMs = Math.min(nowMs + this.#maxAgeMs, principal.expiresAtMs);
    this.#entries.set(keyOf(token), { principal, goodUntilMs });
    if (this.#entries.size <= this.#maxTokens) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }
}

function keyOf(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}
