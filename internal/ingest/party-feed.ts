import type { Trip } from "../core/trip.ts";
import type { LiveBus, PartyMessage, Subscription } from "../live/bus.ts";
import { type AssignmentDeps, AssignmentFeed, withinReadTime } from "./assignment.ts";
import type { Assignment } from "./messages.ts";
import type { SessionState } from "./session-state.ts";

/** A client that names an older assignment gets the newest again, not more often than this. */
const RESEND_MS = 10_000;
/** Pause after the bus refused a subscription. */
const RETRY_MS = 5_000;

export type PartyFeedDeps = AssignmentDeps & { bus: LiveBus };

type MessageOf<Kind> = Extract<PartyMessage, { kind: Kind }>;
export type SessionOpened = MessageOf<"sessionOpened">;
export type MarkerTold = MessageOf<"markerTold">;

/** What a stream wants to know. */
export type PartyFeedListener = {
  /** The party's assignment is another, or the client does not seem to know it. */
  assignmentChanged(assignment: Assignment): void;
  /** Somewhere a stream of the party was opened. */
  sessionOpened(opened: SessionOpened): void;
  /** Who moves the party's marker, as said where it was before. */
  markerTold(told: MarkerTold): void;
  /** Somebody else watches the party on the trip, for so long from now. */
  watched(tripId: string, forMs: number): void;
  /** For now nothing is heard of viewers. */
  viewersUnknown(): void;
};

/** What the bus and the trips store tell one stream of its party. Neither keeps it waiting long when it is away. */
export class PartyFeed {
  readonly #deps: PartyFeedDeps;
  readonly #listener: PartyFeedListener;
  #assignments: AssignmentFeed | undefined;
  #listening: Promise<void> | undefined;
  #subscription: Subscription | undefined;
  #sentMs = 0;
  #closed = false;
  #cancelRetry: () => void = () => {};

  constructor(deps: PartyFeedDeps, listener: PartyFeedListener) {
    this.#deps = deps;
    this.#listener = listener;
  }

  /** Resolves once the bus is listened to, or after the time that a read is waited for. Never rejects. */
  listen(partyKey: string): Promise<void> {
    this.#listening ??= this.#listen(partyKey);
    return withinReadTime(this.#listening, undefined, this.#deps.ioClock);
  }

  /**
   * Follows the session's party from now on, instead of the session before. Resolves with the assignment, or with
   * undefined when another call overtook this one; of version 0 while the store does not answer. Never rejects.
   */
  async follow(state: SessionState): Promise<Assignment | undefined> {
    this.#assignments?.close();
    const feed = new AssignmentFeed(this.#deps, state, (assignment) => this.#changed(assignment));
    this.#assignments = feed;
    await this.listen(state.partyKey);
    await withinReadTime(feed.refresh(), undefined, this.#deps.ioClock);
    return this.#assignments === feed && !this.#closed ? feed.current : undefined;
  }

  /** The party's trip as last read; "unknown" while the store has not answered. */
  get trip(): Trip | undefined | "unknown" {
    return this.#assignments?.isKnown ? this.#assignments.trip : "unknown";
  }

  /** Sends the assignment again when the client knows an older one. @param knownVersion 0 when it did not say */
  resend(knownVersion: number): void {
    const assignment = this.#assignments?.current;
    if (!assignment || knownVersion === 0 || knownVersion >= assignment.version) return;
    if (this.#deps.ioClock.monotonic() - this.#sentMs >= RESEND_MS) this.#changed(assignment);
  }

  close(): void {
    this.#closed = true;
    this.#cancelRetry();
    this.#subscription?.[Symbol.dispose]();
    this.#assignments?.close();
  }

  async #listen(partyKey: string): Promise<void> {
    const { bus, events, ioClock } = this.#deps;
    try {
      const subscription = await bus.listen(partyKey, (message) => this.#heard(message));
      if (this.#closed) subscription[Symbol.dispose]();
      else this.#subscription = subscription;
    } catch (error) {
      events.busUnheard(partyKey, error);
      if (this.#closed) return;
      this.#listener.viewersUnknown();
      this.#cancelRetry = ioClock.after(RETRY_MS, () => {
        // What was said meanwhile was not heard.
        void this.#listen(partyKey).then(() => this.#assignments?.refresh());
      });
    }
  }

  #heard(message: PartyMessage): void {
    if (this.#closed) return;
    if (message.kind === "assignmentChanged") void this.#assignments?.refresh();
    else if (message.kind === "watched") this.#listener.watched(message.tripId, message.forMs);
    else if (message.kind === "sessionOpened") this.#listener.sessionOpened(message);
    else if (message.kind === "markerTold") this.#listener.markerTold(message);
  }

  #changed(assignment: Assignment): void {
    if (this.#closed) return;
    this.#sentMs = this.#deps.ioClock.monotonic();
    this.#listener.assignmentChanged(assignment);
  }
}
