import { type ActionResult, TripActionKind } from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { WatchClock } from "../client/watch-clock.ts";
import type { Link } from "./link.ts";

/** What a driver can do on a trip. */
export type DriverAction = "accept" | "decline" | "arrive" | "start" | "complete";

/** How it went. */
export type ActionOutcome = {
  /** Empty when it is done, or was done already; else a code of docs/ERRORS.md, or STOPPED when the driver was stopped first. */
  code: string;
  /** In words, with a code. */
  message: string;
  /** Trying again may help. */
  retryable: boolean;
};

const KINDS: Record<DriverAction, TripActionKind> = {
  accept: TripActionKind.ACCEPT,
  decline: TripActionKind.DECLINE,
  arrive: TripActionKind.ARRIVE,
  start: TripActionKind.START,
  complete: TripActionKind.COMPLETE,
};

/** Actions that wait for their result at a time; more are refused with OVERLOADED. */
const MAX_WAITING = 16;

type Waiting = {
  actionId: number;
  tripId: string;
  kind: TripActionKind;
  waypointIndex: number | undefined;
  resolve(outcome: ActionOutcome): void;
};

/** An action that was not answered for so long is sent again over the same stream, milliseconds: it may have been one too many. */
const AGAIN_MS = 10_000;

/** Trip actions on their way: each is sent again over every new stream, under its id, until it is answered. */
export class Actions {
  readonly #waiting = new Map<number, Waiting>();
  readonly #clock: WatchClock;
  #link: Link | undefined;
  #lastId = 0;
  #cancelAgain: (() => void) | undefined;

  constructor(clock: WatchClock) {
    this.#clock = clock;
  }

  /** Never rejects. Without a stream it waits for one. */
  act(tripId: string, action: DriverAction, waypointIndex: number | undefined): Promise<ActionOutcome> {
    if (this.#waiting.size >= MAX_WAITING)
      return Promise.resolve({
        code: "OVERLOADED",
        message: "Too many actions wait for an answer.",
        retryable: true,
      });
    return new Promise((resolve) => {
      const actionId = ++this.#lastId;
      const waiting = { actionId, tripId, kind: KINDS[action], waypointIndex, resolve };
      this.#waiting.set(actionId, waiting);
      this.#send(waiting);
    });
  }

  attach(link: Link): void {
    if (!link.transport.isStream) return;
    this.#link = link;
    this.#sendAll();
  }

  detach(link: Link): void {
    if (this.#link === link) this.#link = undefined;
  }

  answered({ actionId, code, message, retryable }: ActionResult): void {
    const waiting = this.#waiting.get(actionId);
    this.#waiting.delete(actionId);
    waiting?.resolve({ code, message, retryable });
  }

  /** Nothing will be answered any more. */
  close(): void {
    this.#cancelAgain?.();
    for (const { resolve } of this.#waiting.values())
      resolve({ code: "STOPPED", message: "The driver was stopped.", retryable: true });
    this.#waiting.clear();
  }

  #send({ actionId, tripId, kind, waypointIndex }: Waiting): void {
    const value = {
      $typeName: "bimride.tracking.v1.TripAction",
      actionId,
      tripId,
      kind,
      waypointIndex,
    } as const;
    this.#link?.send({ case: "tripAction", value });
    this.#cancelAgain ??= this.#clock.after(AGAIN_MS, () => {
      this.#cancelAgain = undefined;
      this.#sendAll();
    });
  }

  #sendAll(): void {
    for (const waiting of this.#waiting.values()) this.#send(waiting);
  }
}
