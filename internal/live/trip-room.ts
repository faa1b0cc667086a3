import type { Limits } from "../core/limits.ts";
import type { LiveChange, TripLive } from "../core/live.ts";
import { type Clock, sleep } from "../core/time.ts";
import { compareVersions, type Version, ZERO_VERSION } from "../core/version.ts";
import type { Latest } from "../latest/latest.ts";
import { applyChange, isFirst, startLive } from "./apply-change.ts";
import type { LiveBus, Subscription } from "./bus.ts";
import { ChangeRing } from "./change-ring.ts";
import type { Feed } from "./hub.ts";
import { Mailbox } from "./mailbox.ts";

export type RoomDeps = {
  bus: LiveBus;
  latest: Latest;
  clock: Clock;
  limits: Limits;
  /** Told when the latest store could not be read; the room goes on trying. */
  onError(error: unknown): void;
};

/** Changes held while a hole is open; the oldest leave, the snapshot covers them. */
const MAX_PENDING = 256;
/** Waits between two reads while a hole stays open: from, to. */
const REREAD_FROM_MS = 10;
const REREAD_TO_MS = 1_000;
/** How long a viewer waits for the first state of a trip that was created just now, or for the one it has seen already. */
const FIRST_STATE_WAIT_MS = 2_000;
/**
 * A state is read again so long after the room opened: a change published just before the subscription stood, and stored
 * just after the first read, would else stay unseen until the next one.
 */
const SECOND_LOOK_MS = 500;

/**
 * A trip that somebody here watches: subscribe, read the snapshot, drop what is not newer, apply what follows. A hole
 * (`previous` is not what we have) means reading again, until the latest store has caught up with the bus; viewers keep
 * what they have meanwhile. A trip silent for a heartbeat is looked up as well, in case its last change was lost.
 */
export class TripRoom {
  readonly tripId: string;
  readonly #deps: RoomDeps;
  readonly #onIdle: () => void;
  readonly #onClosed: () => void;
  readonly #viewers = new Set<Mailbox>();
  readonly #ring = new ChangeRing();
  readonly #closing = new AbortController();
  readonly #timers: (() => void)[] = [];
  readonly #opened: Promise<void>;
  #subscription: Subscription | undefined;
  #live: TripLive | undefined;
  #pending: LiveChange[] = [];
  #reading = true;
  #joining = 0;
  #heardSinceLook = false;
  #cancelDrop: (() => void) | undefined;
  #news = Promise.withResolvers<void>();

  /**
   * @param onIdle called when the last viewer left
   * @param onClosed called once, when the room is of no use any more
   */
  constructor(tripId: string, deps: RoomDeps, onIdle: () => void, onClosed: () => void) {
    this.tripId = tripId;
    this.#deps = deps;
    this.#onIdle = onIdle;
    this.#onClosed = onClosed;
    this.#opened = this.#open();
    this.#opened.catch(() => this.close());
  }

  get idle(): boolean {
    return this.#viewers.size === 0 && this.#joining === 0;
  }

  /** The state, while it is certain: undefined before the first one and while a hole is open. */
  get live(): TripLive | undefined {
    return this.#pending.length > 0 ? undefined : this.#live;
  }

  /** See Hub.join. Rejects when the latest store can't be read. */
  async join(resumeAfter: Version | undefined): Promise<Feed | undefined> {
    this.#joining++;
    try {
      await this.#opened;
      await this.#awaitState(resumeAfter ?? ZERO_VERSION);
      const live = this.#live;
      if (!live || this.#closing.signal.aborted) return undefined;
      const mailbox = this.#mailbox(live, resumeAfter);
      this.#viewers.add(mailbox);
      return mailbox;
    } finally {
      this.#joining--;
      if (this.idle) this.#onIdle();
    }
  }

  /** Ends all viewers and the subscription. */
  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#subscription?.[Symbol.dispose]();
    this.#cancelDrop?.();
    for (const cancel of this.#timers) cancel();
    for (const viewer of this.#viewers) viewer.end();
    this.#viewers.clear();
    this.#news.resolve();
    this.#onClosed();
  }

  async #open(): Promise<void> {
    const { bus, clock, limits } = this.#deps;
    const subscription = await bus.subscribe(this.tripId, (change) => this.#receive(change));
    if (this.#closing.signal.aborted) return subscription[Symbol.dispose]();
    this.#subscription = subscription;
    this.#adopt(await this.#deps.latest.trip(this.tripId));
    if (this.#closing.signal.aborted) return;
    this.#timers.push(clock.after(SECOND_LOOK_MS, () => this.#look()));
    this.#timers.push(clock.every(limits.heartbeatMs, () => this.#lookWhenSilent()));
    if (this.#drain()) this.#reading = false;
    else void this.#catchUp();
  }

  #mailbox(live: TripLive, resumeAfter: Version | undefined): Mailbox {
    let stopDoubt = () => {};
    const room = {
      state: () => this.#live ?? live,
      leave: (mailbox: Mailbox) => {
        stopDoubt();
        if (this.#viewers.delete(mailbox) && this.idle) this.#onIdle();
      },
    };
    const { clock, limits } = this.#deps;
    if (!resumeAfter) return new Mailbox(room, limits, "snapshot", ZERO_VERSION);
    if (compareVersions(resumeAfter, live.version) === 0)
      return new Mailbox(room, limits, "unchanged", resumeAfter);
    const mailbox = new Mailbox(room, limits, this.#ring.since(resumeAfter) ?? "snapshot", resumeAfter);
    // Newer than anything here: the store may lag behind what the viewer saw elsewhere, but not for so long.
    if (compareVersions(resumeAfter, live.version) > 0)
      stopDoubt = clock.after(limits.heartbeatMs, () => mailbox.distrust());
    return mailbox;
  }

  #receive(change: LiveChange): void {
    this.#heardSinceLook = true;
    this.#pending.push(change);
    if (this.#pending.length > MAX_PENDING) this.#pending.shift();
    if (this.#drain()) return;
    if (this.#reading) this.#tellNews();
    else void this.#catchUp();
  }

  /** Applies what waits as far as it fits; false when a hole stops it. */
  #drain(): boolean {
    let at = 0;
    while (at < this.#pending.length && this.#accept(this.#pending[at]!)) at++;
    this.#pending = at === this.#pending.length ? [] : this.#pending.slice(at);
    return this.#pending.length === 0;
  }

  /** Applies the change or drops it as old; false when something is missing before it. */
  #accept(change: LiveChange): boolean {
    const live = this.#live;
    const { limits } = this.#deps;
    if (!live) {
      const first = startLive(change, limits);
      if (first) this.#become(first, change);
      return first !== undefined;
    }
    if (compareVersions(change.version, live.version) <= 0) return true;
    const anew = isFirst(change) && change.version.generation > live.version.generation;
    if (!anew && compareVersions(change.previous, live.version) !== 0) return false;
    this.#become(applyChange(live, change, limits), change);
    return true;
  }

  #become(live: TripLive, change: LiveChange): void {
    this.#live = live;
    this.#ring.add(change);
    for (const viewer of this.#viewers) viewer.push(change);
    this.#changed(live);
  }

  /** Takes a state from the store if it is newer than ours. */
  #adopt(live: TripLive | undefined): void {
    if (!live || (this.#live && compareVersions(live.version, this.#live.version) <= 0)) return;
    this.#live = live;
    this.#ring.clear();
    for (const viewer of this.#viewers) viewer.reset();
    this.#changed(live);
  }

  #changed(live: TripLive): void {
    this.#tellNews();
    this.#cancelDrop?.();
    this.#cancelDrop = undefined;
    if (live.dropAtMs === 0) return;
    const leftMs = live.dropAtMs - this.#deps.clock.now();
    if (leftMs <= 0) this.close();
    else this.#cancelDrop = this.#deps.clock.after(leftMs, () => this.#changed(live));
  }

  /** Reads until nothing is missing. One runs at a time: `#reading` says so. */
  async #catchUp(): Promise<void> {
    this.#reading = true;
    for (
      let waitMs = REREAD_FROM_MS;
      !this.#closing.signal.aborted;
      waitMs = Math.min(2 * waitMs, REREAD_TO_MS)
    ) {
      await this.#readOnce();
      if (this.#drain()) break;
      await this.#pause(waitMs);
    }
    this.#reading = false;
  }

  async #readOnce(): Promise<void> {
    try {
      const live = await this.#deps.latest.trip(this.tripId);
      if (!this.#closing.signal.aborted) this.#adopt(live);
    } catch (error) {
      this.#deps.onError(error);
    }
  }

  #look(): void {
    this.#heardSinceLook = false;
    if (!this.#reading) void this.#catchUp();
  }

  #lookWhenSilent(): void {
    if (this.#heardSinceLook) this.#heardSinceLook = false;
    else this.#look();
  }

  /** Waits, within bounds, for a state that is not older than the version. */
  async #awaitState(version: Version): Promise<void> {
    const { clock } = this.#deps;
    const deadlineMs = clock.monotonic() + FIRST_STATE_WAIT_MS;
    for (let waitMs = REREAD_FROM_MS; !this.#closing.signal.aborted; waitMs *= 2) {
      if (this.#live && compareVersions(this.#live.version, version) >= 0) return;
      const leftMs = deadlineMs - clock.monotonic();
      if (leftMs <= 0) return;
      await this.#pause(Math.min(waitMs, leftMs));
      if (!this.#reading) await this.#catchUp();
    }
  }

  /** Waits so long, or until something was heard or the room closes. */
  async #pause(waitMs: number): Promise<void> {
    const timer = new AbortController();
    await Promise.race([sleep(this.#deps.clock, waitMs, timer.signal), this.#news.promise]);
    timer.abort();
  }

  #tellNews(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}
