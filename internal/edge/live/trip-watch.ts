import { type Principal, userKeyOf } from "../../auth/principal.ts";
import { asBimrideError } from "../../core/errors.ts";
import { TRIP_ID_PATTERN } from "../../core/ids.ts";
import type { TripLive } from "../../core/live.ts";
import type { Trip } from "../../core/trip.ts";
import { compareVersions, type Version, ZERO_VERSION } from "../../core/version.ts";
import type { Feed, FeedItem } from "../../live/hub.ts";
import type { EdgeDeps } from "../deps.ts";
import type { EdgeEvents } from "../events.ts";
import { mayWatch } from "../redact.ts";
import { liveOfTrip, lossOf } from "./live-of-trip.ts";
import { RiderView } from "./rider-view.ts";
import { type ViewerMessage, ViewerTrip } from "./viewer-trip.ts";

type WatchDeps = Pick<EdgeDeps, "hub" | "presence" | "latest" | "tripStore" | "clock" | "limits">;
type UnavailableCode = "NOT_FOUND" | "LIVE_ENDED" | "STORE_UNAVAILABLE";

/** Between two joins of a trip that has no live state yet; the hub itself waits for the first one for a while. */
const RETRY_MS = 1_000;
/** Joins of a trip whose live state was lost, each of which waits 2 s for it, before the viewer is told to try later. */
const JOINS_WHILE_LOST = 3;

type Arrived =
  | { kind: "joined"; feed: Feed; riders: RiderView | undefined }
  | { kind: "pending"; live: TripLive }
  | { kind: "unavailable"; code: UnavailableCode; cause?: unknown }
  | { kind: "item"; item: FeedItem | undefined };

/**
 * One trip of one watch: joins the hub, pulls one item at a time (so that the hub conflates what a slow viewer has not
 * read), and turns items into messages.
 */
export class TripWatch implements Disposable {
  readonly tripId: string;
  readonly #deps: WatchDeps;
  readonly #events: EdgeEvents;
  readonly #principal: Principal;
  /** Forgotten once the viewer was told something else. */
  #resumeAfter: Version | undefined;
  readonly #signal: AbortSignal;
  readonly #ring: () => void;
  #state: "joining" | "idle" | "pulling" | "pending" | "over" = "joining";
  #arrived: Arrived | undefined;
  #feed: Feed | undefined;
  #presence: Disposable | undefined;
  #viewer: ViewerTrip | undefined;
  /** Where waiting riders are: for the trip's driver alone. */
  #riders: RiderView | undefined;
  /** Of the state when the feed was joined: changes up to it are what a resume had missed. */
  #joinedAt: Version = ZERO_VERSION;
  #answered = false;
  #retryAtMs = Infinity;

  /** @param ring called when there may be something to take */
  constructor(
    target: { tripId: string; resumeAfter: Version | undefined },
    principal: Principal,
    deps: WatchDeps,
    events: EdgeEvents,
    stream: { signal: AbortSignal; ring: () => void },
  ) {
    this.tripId = target.tripId;
    this.#resumeAfter = target.resumeAfter;
    this.#principal = principal;
    this.#deps = deps;
    this.#events = events;
    this.#signal = stream.signal;
    this.#ring = stream.ring;
    this.#run(this.#join());
  }

  /** True when no message will ever come again. */
  get over(): boolean {
    return this.#state === "over";
  }

  /** When {@link take} has something to say by time alone, wall clock. */
  get dueAtMs(): number {
    if (this.#state === "over") return Infinity;
    const viewer = this.#viewer;
    return Math.min(this.#retryAtMs, viewer?.changesAtMs ?? Infinity, viewer?.dropAtMs || Infinity);
  }

  /** The next message, or undefined when there is none now. Starts waiting for the next item. */
  take(nowMs: number): ViewerMessage | undefined {
    const arrived = this.#arrived;
    this.#arrived = undefined;
    const message = (arrived ? this.#tell(arrived, nowMs) : this.#tellByTime(nowMs)) ?? this.#tellRider();
    const trip = this.#viewer?.trip;
    if (message?.message.case === "snapshot" && this.#riders && trip)
      message.message.value.riders = this.#riders.all(trip);
    if (this.#state === "idle" && !message) this.#pull();
    return message;
  }

  [Symbol.dispose](): void {
    this.#state = "over";
    this.#feed?.[Symbol.dispose]();
    this.#feed = undefined;
    this.#presence?.[Symbol.dispose]();
    this.#riders?.[Symbol.dispose]();
    this.#riders = undefined;
  }

  #run(work: Promise<Arrived>): void {
    work
      .catch((cause: unknown): Arrived => ({ kind: "unavailable", code: "STORE_UNAVAILABLE", cause }))
      .then((arrived) => {
        if (this.#state === "over") {
          if (arrived.kind === "joined") {
            arrived.feed[Symbol.dispose]();
            arrived.riders?.[Symbol.dispose]();
          }
          return;
        }
        this.#arrived = arrived;
        this.#ring();
      });
  }

  #pull(): void {
    const feed = this.#feed;
    if (!feed) return;
    this.#state = "pulling";
    this.#run(feed.next(this.#signal).then((item) => ({ kind: "item", item })));
  }

  /** Who may watch is settled before anything is opened for them, and a trip that is not there answers as quickly. */
  async #join(): Promise<Arrived> {
    const { hub } = this.#deps;
    if (!TRIP_ID_PATTERN.test(this.tripId)) return { kind: "unavailable", code: "NOT_FOUND" };
    if (!this.#viewer) {
      const live = await hub.read(this.tripId);
      if (live && !mayWatch(this.#principal, live.trip)) return { kind: "unavailable", code: "NOT_FOUND" };
      const alone = live ? undefined : await this.#withoutLive();
      // What was lost comes back, most often while the hub waits for a first state.
      if (alone && !isLost(alone)) return alone;
    }
    for (let joins = 1; ; joins++) {
      const feed = await hub.join(this.tripId, this.#resumeAfter);
      if (feed) return { kind: "joined", feed, riders: await this.#joinRiders(feed.live.trip) };
      const alone = await this.#withoutLive();
      if (!isLost(alone) || joins === JOINS_WHILE_LOST || this.over) return alone;
    }
  }

  /** Undefined for all but the trip's driver. */
  async #joinRiders(trip: Trip): Promise<RiderView | undefined> {
    if (this.#principal.role !== "driver" || !mayWatch(this.#principal, trip)) return undefined;
    const feed = this.#deps.hub.riders(trip, this.#ring);
    await feed.ready;
    return new RiderView(feed);
  }

  async #withoutLive(): Promise<Arrived> {
    const { tripStore, latest, limits, clock } = this.#deps;
    const trip = await tripStore.get(this.tripId);
    if (!trip || !mayWatch(this.#principal, trip)) return { kind: "unavailable", code: "NOT_FOUND" };
    const live = liveOfTrip(trip, limits);
    if (live.dropAtMs > 0 && live.dropAtMs <= clock.now()) return { kind: "unavailable", code: "LIVE_ENDED" };
    const cause = await lossOf(trip, latest);
    return cause ? { kind: "unavailable", code: "STORE_UNAVAILABLE", cause } : { kind: "pending", live };
  }

  #tell(arrived: Arrived, nowMs: number): ViewerMessage | undefined {
    switch (arrived.kind) {
      case "unavailable":
        if (arrived.code === "STORE_UNAVAILABLE") this.#events.failed(asBimrideError(arrived.cause), "watch");
        return this.#end(arrived.code);
      case "pending":
        this.#state = "pending";
        this.#retryAtMs = this.#viewer ? nowMs + RETRY_MS : nowMs;
        return this.#tellPending(arrived.live, nowMs);
      case "joined":
        this.#feed = arrived.feed;
        this.#riders = arrived.riders;
        this.#retryAtMs = Infinity;
        this.#state = "idle";
        this.#joinedAt = arrived.feed.live.version;
        this.#viewer = new ViewerTrip(arrived.feed.live, this.#principal, nowMs, this.#deps.limits);
        if (!this.#viewer.visible) return this.#end("NOT_FOUND");
        this.#bePresent();
        return undefined;
      case "item":
        this.#state = "idle";
        return arrived.item ? this.#tellItem(arrived.item, nowMs) : this.#end("LIVE_ENDED");
    }
  }

  /** The trip alone, once and whenever it changed, until it has a live state. */
  #tellPending(live: TripLive, nowMs: number): ViewerMessage | undefined {
    const known = this.#viewer?.version;
    if (known?.index === live.version.index && known.generation === live.version.generation) return undefined;
    this.#resumeAfter = undefined;
    this.#viewer = new ViewerTrip(live, this.#principal, nowMs, this.#deps.limits);
    this.#bePresent();
    return this.#viewer.snapshot(live, nowMs);
  }

  /** The driver is told that somebody watches. */
  #bePresent(): void {
    const userKey = userKeyOf(this.#principal);
    this.#presence ??= this.#deps.presence.stay(userKey, () => this.#viewer?.watchedTrip);
  }

  #tellItem(item: FeedItem, nowMs: number): ViewerMessage | undefined {
    const viewer = this.#viewer;
    if (!viewer) return undefined;
    const first = !this.#answered;
    this.#answered = true;
    if (item.kind === "unchanged") {
      this.#events.resumed("unchanged");
      return viewer.unchanged(nowMs);
    }
    if (item.kind === "snapshot") {
      if (!first) this.#events.backlogReplaced();
      else if (this.#resumeAfter) this.#events.resumed("snapshot");
      return viewer.snapshot(item.live, nowMs) ?? this.#end("NOT_FOUND");
    }
    if (first) this.#events.resumed("changes");
    const message = viewer.change(item.change, nowMs);
    if (!viewer.visible) return this.#end("NOT_FOUND");
    if (!message) return first ? viewer.unchanged(nowMs) : undefined;
    const isNews = compareVersions(item.change.version, this.#joinedAt) > 0;
    return isNews ? message : { message: message.message };
  }

  /** Of riders nothing is said before the trip's first message. */
  #tellRider(): ViewerMessage | undefined {
    const trip = this.#viewer?.trip;
    const value = this.#answered && trip ? this.#riders?.next(trip) : undefined;
    return value && { message: { case: "rider", value } };
  }

  #tellByTime(nowMs: number): ViewerMessage | undefined {
    if (this.#state === "over") return undefined;
    const viewer = this.#viewer;
    if (viewer?.dropAtMs && nowMs >= viewer.dropAtMs) return this.#end("LIVE_ENDED");
    if (nowMs >= this.#retryAtMs) {
      this.#retryAtMs = Infinity;
      this.#run(this.#join());
    }
    return viewer && nowMs >= viewer.changesAtMs ? viewer.aged(nowMs) : undefined;
  }

  #end(code: UnavailableCode): ViewerMessage {
    this[Symbol.dispose]();
    const retryable = code === "STORE_UNAVAILABLE";
    return { message: { case: "unavailable", value: { tripId: this.tripId, code, retryable } } };
  }
}

function isLost(arrived: Arrived): boolean {
  return arrived.kind === "unavailable" && arrived.code === "STORE_UNAVAILABLE";
}
