import type { Limits } from "../core/limits.ts";
import type { LiveChange, TripLive } from "../core/live.ts";
import { compareVersions, type Version, ZERO_VERSION } from "../core/version.ts";
import { enqueue } from "./conflate.ts";
import type { Feed, FeedItem } from "./hub.ts";

/** What a mailbox needs of its room. */
export type MailboxRoom = {
  /** The newest state. */
  state(): TripLive;
  /** The viewer left. */
  leave(mailbox: Mailbox): void;
};

/**
 * One viewer of one trip. While the viewer is busy states conflate and events queue; beyond
 * `maxQueuedEventsPerViewer` events all of it gives way to a snapshot, which is taken only when the viewer asks, so that
 * a viewer who never asks costs nothing more. What it hands out has ever larger versions.
 */
export class Mailbox implements Feed {
  readonly #room: MailboxRoom;
  readonly #limits: Limits;
  #mode: "snapshot" | "unchanged" | "changes";
  #queue: LiveChange[];
  #events = 0;
  #told: Version;
  #ended = false;
  #news: PromiseWithResolvers<void> | undefined;

  /**
   * @param start what to tell first: a snapshot (once the room's state is newer than `told`), that nothing changed, or the changes missed
   * @param told the version that the viewer has
   */
  constructor(
    room: MailboxRoom,
    limits: Limits,
    start: "snapshot" | "unchanged" | readonly LiveChange[],
    told: Version,
  ) {
    this.#room = room;
    this.#limits = limits;
    this.#told = told;
    this.#queue = [];
    this.#mode = typeof start === "string" ? start : "changes";
    if (typeof start !== "string") for (const change of start) this.push(change);
  }

  get live(): TripLive {
    return this.#room.state();
  }

  /** The room's state went on by this change. */
  push(change: LiveChange): void {
    if (this.#ended) return;
    if (this.#mode !== "snapshot") {
      enqueue(this.#queue, change, this.#limits);
      if (change.trip) this.#events++;
      if (this.#events > this.#limits.maxQueuedEventsPerViewer) this.#forget();
    }
    this.#news?.resolve();
  }

  /** The room's state was read anew: a snapshot replaces what waits. */
  reset(): void {
    if (this.#ended) return;
    this.#forget();
    this.#news?.resolve();
  }

  /** The version that the viewer says to have is none that this trip had: the room's state is told whatever it is. */
  distrust(): void {
    if (this.#ended || compareVersions(this.#told, this.#room.state().version) <= 0) return;
    this.#told = ZERO_VERSION;
    this.#forget();
    this.#news?.resolve();
  }

  /** Live access is over. */
  end(): void {
    this.#ended = true;
    this.#forget();
    this.#news?.resolve();
  }

  async next(signal: AbortSignal): Promise<FeedItem | undefined> {
    while (!this.#ended && !signal.aborted) {
      const item = this.#take();
      if (item) return item;
      await this.#wait(signal);
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    this.end();
    this.#room.leave(this);
  }

  #forget(): void {
    this.#mode = "snapshot";
    this.#queue = [];
    this.#events = 0;
  }

  #take(): FeedItem | undefined {
    const live = this.#room.state();
    if (this.#mode === "snapshot") {
      if (compareVersions(live.version, this.#told) <= 0) return undefined;
      this.#mode = "changes";
      this.#told = live.version;
      return { kind: "snapshot", live };
    }
    const unchanged = this.#mode === "unchanged";
    this.#mode = "changes";
    const change = this.#queue.shift();
    if (!change) return unchanged ? { kind: "unchanged", live } : undefined;
    if (change.trip) this.#events--;
    this.#told = change.version;
    return { kind: "change", change };
  }

  async #wait(signal: AbortSignal): Promise<void> {
    this.#news ??= Promise.withResolvers();
    const news = this.#news;
    const wake = () => news.resolve();
    signal.addEventListener("abort", wake, { once: true });
    await news.promise;
    signal.removeEventListener("abort", wake);
    if (this.#news === news) this.#news = undefined;
  }
}
