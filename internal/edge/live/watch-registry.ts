import { type Principal, userKeyOf } from "../../auth/principal.ts";
import { BimrideError } from "../../core/errors.ts";
import type { Limits } from "../../core/limits.ts";
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

type Entry = Watch & { expiresAtMs: number; endedBy: BimrideError | undefined; principal: Principal };

/** All watches of this node, within the bounds per node and per user. */
export class WatchRegistry {
  readonly #entries = new Map<string, Entry>();
  readonly #perUser = new Map<string, number>();
  readonly #limits: Pick<Limits, "maxWatchesPerNode" | "maxWatchesPerUser">;
  readonly #randomBytes: (count: number) => Uint8Array;
  readonly #events: EdgeEvents;
  #draining = false;
  readonly #drained = Promise.withResolvers<void>();

  constructor(
    limits: Pick<Limits, "maxWatchesPerNode" | "maxWatchesPerUser">,
    randomBytes: (count: number) => Uint8Array,
    events: EdgeEvents,
  ) {
    this.#limits = limits;
    this.#randomBytes = randomBytes;
    this.#events = events;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** @throws WATCH_TOO_MANY at a bound, DRAINING while the node is going away */
  open(principal: Principal, kind: WatchKind): Watch {
    if (this.#draining) throw new BimrideError("DRAINING");
    const user = userKeyOf(principal);
    const ofUser = this.#perUser.get(user) ?? 0;
    if (this.#entries.size >= this.#limits.maxWatchesPerNode || ofUser >= this.#limits.maxWatchesPerUser) {
      throw new BimrideError("WATCH_TOO_MANY");
    }
    const id = Buffer.from(this.#randomBytes(12)).toString("base64url");
    const close = () => this.#close(id, user, kind);
    const entry: Entry = {
      id,
      principal,
      expiresAtMs: principal.expiresAtMs,
      endedBy: undefined,
      onChange: () => {},
      [Symbol.dispose]: close,
    };
    this.#entries.set(id, entry);
    this.#perUser.set(user, ofUser + 1);
    this.#events.watchOpened(kind);
    return entry;
  }

  /**
   * Extends a watch to the expiry of a fresh token of the same user; never shortens it.
   * @throws NOT_FOUND when it is gone or somebody else's
   */
  refresh(id: string, principal: Principal): { expiresAtMs: number } {
    const entry = this.#entries.get(id);
    if (!entry || userKeyOf(entry.principal) !== userKeyOf(principal)) throw new BimrideError("NOT_FOUND");
    entry.expiresAtMs = Math.max(entry.expiresAtMs, principal.expiresAtMs);
    this.#events.watchRefreshed();
    entry.onChange();
    return { expiresAtMs: entry.expiresAtMs };
  }

  /** Ends all watches with DRAINING and takes no more. Resolves when the last one has told its client. */
  drain(): Promise<void> {
    this.#draining = true;
    if (this.#entries.size === 0) this.#drained.resolve();
    for (const entry of this.#entries.values()) {
      entry.endedBy = new BimrideError("DRAINING");
      entry.onChange();
    }
    return this.#drained.promise;
  }

  #close(id: string, user: string, kind: WatchKind): void {
    if (!this.#entries.delete(id)) return;
    const left = (this.#perUser.get(user) ?? 1) - 1;
    if (left > 0) this.#perUser.set(user, left);
    else this.#perUser.delete(user);
    this.#events.watchClosed(kind);
    if (this.#draining && this.#entries.size === 0) this.#drained.resolve();
  }
}
