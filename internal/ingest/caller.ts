import type { Authenticator, Principal } from "../auth/principal.ts";
import { BimrideError } from "../core/errors.ts";
import type { Party } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import type { HelloInput } from "./messages.ts";

/** The party of a Hello, as the token says. Throws PARTY_MISMATCH when the Hello names another. */
export function partyOf({ role, subject }: Principal, hello: HelloInput, field: string): Party {
  const party: Party = { kind: role as Party["kind"], id: subject };
  if (hello.party && (hello.party.kind !== party.kind || hello.party.id !== party.id))
    throw new BimrideError("PARTY_MISMATCH", undefined, { field });
  return party;
}

export type CallerDeps = {
  authenticator: Authenticator;
  clock: Clock;
  limits: Pick<Limits, "tokenRefreshAheadMs">;
};

/** Who is on the other end of a stream: the token it came with, or the last one that refreshed it. */
export class Caller {
  readonly #deps: CallerDeps;
  #principal: Principal;
  /** When to ask for a fresh token; Infinity once asked. */
  #askAtMs: number;

  constructor(principal: Principal, deps: CallerDeps) {
    this.#principal = principal;
    this.#deps = deps;
    this.#askAtMs = this.#timeToAsk();
  }

  get principal(): Principal {
    return this.#principal;
  }

  get isExpired(): boolean {
    return this.#deps.clock.now() >= this.#principal.expiresAtMs;
  }

  /**
   * Goes on with a fresh token. The stream then belongs to that one's sign-in. Rejects with
   * TOKEN_INVALID, TOKEN_EXPIRED or SESSION_REVOKED; then the old one stays.
   */
  async refresh(token: string): Promise<void> {
    const fresh = await this.#deps.authenticator.authenticate(token);
    const same = fresh.role === this.#principal.role && fresh.subject === this.#principal.subject;
    if (!same) throw new BimrideError("TOKEN_INVALID", "The token names another party.");
    this.#principal = fresh;
    this.#askAtMs = this.#timeToAsk();
  }

  /** True once per token, when it is time to ask the client for a fresh one. */
  asksForToken(): boolean {
    if (this.#deps.clock.now() < this.#askAtMs) return false;
    this.#askAtMs = Number.POSITIVE_INFINITY;
    return true;
  }

  /** Ahead of the expiry; of a short-lived token after half of what is left of it. */
  #timeToAsk(): number {
    const { clock, limits } = this.#deps;
    const leftMs = this.#principal.expiresAtMs - clock.now();
    return this.#principal.expiresAtMs - Math.min(limits.tokenRefreshAheadMs, leftMs / 2);
  }
}
