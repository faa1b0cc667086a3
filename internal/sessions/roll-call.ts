import type { Limits } from "../core/limits.ts";
import { type Clock, sleep } from "../core/time.ts";
import type { LiveBus, PresentSession, Subscription } from "../live/bus.ts";

/** Where every node listens for roll-calls. */
const ALL_NODES = "nodes/all";
/** Pause after the bus refused a subscription. */
const RETRY_MS = 5_000;

export type RollCallDeps = {
  bus: LiveBus;
  /** This process's own. */
  nodeId: string;
  /** Ids of the gateways and edges that live, as far as known. */
  liveNodes(): Iterable<string>;
  /** Names a question; unique and not to be guessed. */
  newId(): string;
  /** Time of waits. */
  ioClock: Clock;
  limits: Pick<Limits, "rollCallMs" | "maxListedSessions">;
  /** Told that the bus refused a subscription; it is tried again. */
  onUnheard(error: unknown): void;
};

/** The user's sessions with a stream open on this node. */
export type Present = (user: string) => Iterable<PresentSession>;

/**
 * Which sessions of a user have a stream open, on all nodes: asked on the bus and answered by every node, those without
 * one included, so that a node that did not answer is known to be missing. Nothing is kept anywhere: no store, and no
 * subscription per user.
 */
export class RollCall implements Disposable {
  readonly #deps: RollCallDeps;
  readonly #sources: Present[] = [];
  #subscription: Subscription | undefined;
  #cancelRetry = () => {};
  #closed = false;

  constructor(deps: RollCallDeps) {
    this.#deps = deps;
  }

  /** Answers from now on for those that the source knows, beside those of earlier sources. */
  answerFor(source: Present): void {
    this.#sources.push(source);
    if (this.#sources.length === 1) void this.#listen();
  }

  /**
   * The sessions of the user, newest first; `complete` when every node that is known to live answered in time.
   * Rejects with STORE_UNAVAILABLE when the bus can't be listened to.
   */
  async sessionsOf(user: string): Promise<{ sessions: PresentSession[]; complete: boolean }> {
    const { bus, newId, liveNodes, ioClock, limits } = this.#deps;
    const askId = newId();
    const answers = new Map<string, readonly PresentSession[]>();
    const missing = new Set(liveNodes());
    const all = new AbortController();
    using _answers = await bus.listen(`asker/${askId}`, (message) => {
      if (message.kind !== "present" || this.#closed) return;
      answers.set(message.nodeId, message.sessions);
      missing.delete(message.nodeId);
      if (missing.size === 0) all.abort();
    });
    bus.notify({ partyKey: ALL_NODES, kind: "rollCall", user, askId });
    await sleep(ioClock, limits.rollCallMs, all.signal);
    const sessions = [...answers.values()].flat();
    sessions.sort((a, b) => b.openedAtMs - a.openedAtMs);
    return { sessions: sessions.slice(0, limits.maxListedSessions), complete: missing.size === 0 };
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#cancelRetry();
    this.#subscription?.[Symbol.dispose]();
  }

  async #listen(): Promise<void> {
    const { bus, ioClock, onUnheard } = this.#deps;
    try {
      const subscription = await bus.listen(ALL_NODES, (message) => {
        if (message.kind === "rollCall") this.#answer(message.user, message.askId);
      });
      if (this.#closed) subscription[Symbol.dispose]();
      else this.#subscription = subscription;
    } catch (error) {
      onUnheard(error);
      if (!this.#closed) this.#cancelRetry = ioClock.after(RETRY_MS, () => void this.#listen());
    }
  }

  #answer(user: string, askId: string): void {
    const { bus, nodeId, limits } = this.#deps;
    const sessions = this.#sources.flatMap((source) => [...source(user)]);
    sessions.sort((a, b) => b.openedAtMs - a.openedAtMs);
    bus.notify({
      ...{ partyKey: `asker/${askId}`, kind: "present", nodeId },
      sessions: sessions.slice(0, limits.maxListedSessions),
    });
  }
}
