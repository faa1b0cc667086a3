import { type Principal, userKeyOf } from "../../auth/principal.ts";
import { BimrideError } from "../../core/errors.ts";
import type { Limits } from "../../core/limits.ts";
import type { Clock } from "../../core/time.ts";
import type { PresentSession } from "../../live/bus.ts";
import { checkRevoked, signedInOf } from "../../sessions/revocable-authenticator.ts";
import { concerns, type Revocation, type Revocations } from "../../sessions/revocations.ts";
import type { EdgeEvents, WatchKind } from "../events.ts";

/** A running watch. Dispose it when its stream ends. */
export interface Watch extends Disposable {
  readonly id: string;
  /** When the watch ends unless refreshed, milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** Why it must end now; undefined while it may go on. */
  readonly endedBy: BimrideError | undefined;
  /** Called when `endedBy` or `expiresAtMs` changed. */
  onChange: () => void;
}

type Entry = Watch & {
  expiresAtMs: number;
  endedBy: BimrideError | undefined;
  principal: Principal;
  readonly transport: WatchTransport;
  readonly openedAtMs: number;
  lastHeardAtMs: number;
};

/** What a watch comes through. */
export type WatchTransport = "connect" | "websocket";

export type WatchRegistryDeps = {
  limits: Pick<Limits, "maxWatchesPerNode" | "maxWatchesPerUser">;
  clock: Pick<Clock, "now">;
  randomBytes: (count: number) => Uint8Array;
  revocations: Pick<Revocations, "isRevoked" | "watch">;
  events: EdgeEvents;
};

/** All watches of this node, within the bounds per node and per user. */
export class WatchRegistry {
  readonly #entries = new Map<string, Entry>();
  readonly #perUser = new Map<string, number>();
  readonly #deps: WatchRegistryDeps;
  readonly #revocations: Disposable;
  #draining = false;
  readonly #drained = Promise.withResolvers<void>();

  constructor(deps: WatchRegistryDeps) {
    this.#deps = deps;
    this.#revocations = deps.revocations.watch((revocation) => this.#revoked(revocation));
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * @throws WATCH_TOO_MANY at a bound, DRAINING while the node is going away, SESSION_REVOKED when that was done since the
   * token was looked at
   */
  open(principal: Principal, kind: WatchKind, transport: WatchTransport): Watch {
    const { limits, clock, randomBytes, revocations, events } = this.#deps;
    if (this.#draining) throw new BimrideError("DRAINING");
    checkRevoked(revocations, principal);
    const user = userKeyOf(principal);
    const ofUser = this.#perUser.get(user) ?? 0;
    if (this.#entries.size >= limits.maxWatchesPerNode || ofUser >= limits.maxWatchesPerUser) {
      throw new BimrideError("WATCH_TOO_MANY");
    }
    const id = Buffer.from(randomBytes(12)).toString("base64url");
    const close = () => this.#close(id, user, kind);
    const openedAtMs = Math.round(clock.now());
    const entry: Entry = {
      ...{ id, principal, transport, openedAtMs, lastHeardAtMs: openedAtMs },
      expiresAtMs: principal.expiresAtMs,
      endedBy: undefined,
      onChange: () => {},
      [Symbol.dispose]: close,
    };
    this.#entries.set(id, entry);
    this.#perUser.set(user, ofUser + 1);
    events.watchOpened(kind);
    return entry;
  }

  /**
   * Extends a watch to the expiry of a fresh token of the same user; never shortens it. It belongs to that token's sign-in
   * then.
   * @throws NOT_FOUND when it is gone or somebody else's
   */
  refresh(id: string, principal: Principal): { expiresAtMs: number } {
    const entry = this.#entries.get(id);
    if (!entry || userKeyOf(entry.principal) !== userKeyOf(principal)) throw new BimrideError("NOT_FOUND");
    entry.expiresAtMs = Math.max(entry.expiresAtMs, principal.expiresAtMs);
    entry.principal = principal;
    entry.lastHeardAtMs = Math.round(this.#deps.clock.now());
    this.#deps.events.watchRefreshed();
    entry.onChange();
    return { expiresAtMs: entry.expiresAtMs };
  }

  /** Ends all watches with DRAINING and takes no more. Resolves when the last one has told its client. */
  drain(): Promise<void> {
    this.#draining = true;
    this.#revocations[Symbol.dispose]();
    if (this.#entries.size === 0) this.#drained.resolve();
    for (const entry of this.#entries.values()) {
      entry.endedBy = new BimrideError("DRAINING");
      entry.onChange();
    }
    return this.#drained.promise;
  }

  /** The user's watches here. */
  *present(user: string): Generator<PresentSession> {
    if (!this.#perUser.has(user)) return;
    for (const { principal, transport, openedAtMs, lastHeardAtMs, expiresAtMs } of this.#entries.values()) {
      if (userKeyOf(principal) !== user) continue;
      yield {
        ...{ kind: "watching", sessionId: "", signInId: principal.signInId, deviceId: "", appVersion: "" },
        ...{ transport, openedAtMs, lastHeardAtMs, expiresAtMs, standing: "", sessionEpoch: 0 },
      };
    }
  }

  #revoked(revocation: Revocation): void {
    if (!this.#perUser.has(revocation.user)) return;
    for (const entry of this.#entries.values()) {
      if (!concerns(revocation, signedInOf(entry.principal))) continue;
      entry.endedBy ??= new BimrideError("SESSION_REVOKED");
      entry.onChange();
    }
  }

  #close(id: string, user: string, kind: WatchKind): void {
    if (!this.#entries.delete(id)) return;
    const left = (this.#perUser.get(user) ?? 1) - 1;
    if (left > 0) this.#perUser.set(user, left);
    else this.#perUser.delete(user);
    this.#deps.events.watchClosed(kind);
    if (this.#draining && this.#entries.size === 0) this.#drained.resolve();
  }
}
