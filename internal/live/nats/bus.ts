import type { LiveChange, RiderPlace } from "../../core/live.ts";
import { type Clock, systemClock } from "../../core/time.ts";
import type { NatsLink } from "../../nats/link.ts";
import type { LiveBus, PartyMessage, Subscription } from "../bus.ts";
import { decodeChange, encodeChange } from "./change-codec.ts";
import { Outlet } from "./outlet.ts";
import { decodePartyMessage, encodePartyMessage } from "./party-codec.ts";
import { decodeRiderPlace, encodeRiderPlace } from "./rider-codec.ts";
import { Topics } from "./topics.ts";

export type NatsBusOptions = {
  /** Stays its owner's: the bus does not close it. */
  link: NatsLink;
  region: string;
  /** In front of the subjects; for tests. Letters, digits and `_` only. */
  prefix?: string;
  /** Told what a listener threw, and of messages that can't be read or sent. */
  onError(error: unknown): void;
  clock?: Clock;
  events?: {
    /** A message was dropped because the servers could not take it; viewers read their snapshots again. */
    dropped(): void;
  };
};

/** What a trip id or party key may be as part of a subject. */
const TRIP_ID = /^[A-Za-z0-9_-]{1,128}$/;
const PARTY_KEY = /^([a-z]{1,16})\/([A-Za-z0-9_-]{1,128})$/;

/**
 * The live bus on NATS core: subjects `live.<region>.<tripId>`, `riders.<region>.<tripId>` and `party.<region>.<kind>.<id>`. A process has a
 * subscription for exactly the trips and parties that somebody in it listens to. Nothing is kept anywhere: what is
 * published while the servers are away is gone.
 */
export async function openNatsBus(options: NatsBusOptions): Promise<LiveBus> {
  return new NatsBus(options);
}

class NatsBus implements LiveBus {
  readonly #subjects: { trip: string; riders: string; party: string };
  readonly #outlet: Outlet;
  readonly #trips: Topics<LiveChange>;
  readonly #riders: Topics<RiderPlace>;
  readonly #parties: Topics<PartyMessage>;
  readonly #onError: (error: unknown) => void;
  #closed = false;

  constructor({ link, region, prefix = "", onError, events, clock = systemClock }: NatsBusOptions) {
    this.#subjects = {
      trip: `${prefix}live.${region}.`,
      riders: `${prefix}riders.${region}.`,
      party: `${prefix}party.${region}.`,
    };
    this.#outlet = new Outlet(link, () => events?.dropped());
    this.#trips = new Topics({ link, clock, decode: decodeChange, onError });
    this.#riders = new Topics({ link, clock, decode: decodeRiderPlace, onError });
    this.#parties = new Topics({ link, clock, decode: decodePartyMessage, onError });
    this.#onError = onError;
  }

  publish(change: LiveChange): void {
    this.#send(() => [this.#tripSubject("trip", change.tripId), encodeChange(change)]);
  }

  async subscribe(tripId: string, listener: (change: LiveChange) => void): Promise<Subscription> {
    return this.#trips.add(tripId, this.#tripSubject("trip", tripId), listener);
  }

  publishRider(place: RiderPlace): void {
    this.#send(() => [this.#tripSubject("riders", place.tripId), encodeRiderPlace(place)]);
  }

  async subscribeRiders(tripId: string, listener: (place: RiderPlace) => void): Promise<Subscription> {
    return this.#riders.add(tripId, this.#tripSubject("riders", tripId), listener);
  }

  notify(message: PartyMessage): void {
    this.#send(() => [this.#partySubject(message.partyKey), encodePartyMessage(message)]);
  }

  async listen(partyKey: string, listener: (message: PartyMessage) => void): Promise<Subscription> {
    return this.#parties.add(partyKey, this.#partySubject(partyKey), listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#trips.close();
    this.#riders.close();
    this.#parties.close();
  }

  #send(make: () => [subject: string, body: Uint8Array]): void {
    if (this.#closed) return;
    try {
      this.#outlet.publish(...make());
    } catch (error) {
      // The publisher goes on: a message lost here is one that the port allows to be lost.
      this.#onError(error);
    }
  }

  #tripSubject(of: "trip" | "riders", tripId: string): string {
    if (!TRIP_ID.test(tripId)) throw new RangeError("not a trip id");
    return this.#subjects[of] + tripId;
  }

  #partySubject(partyKey: string): string {
    const match = PARTY_KEY.exec(partyKey);
    if (!match) throw new RangeError("not a party's key");
    return `${this.#subjects.party}${match[1]}.${match[2]}`;
  }
}
