import { create } from "@bufbuild/protobuf";
import * as pb from "../../../gen/bimride/tracking/v1/live_pb.ts";
import type { RiderPlace } from "../../core/live.ts";
import { showsRider, type Trip } from "../../core/trip.ts";
import type { RiderFeed } from "../../live/hub.ts";
import { riderMessage } from "../wire/live-messages.ts";

/**
 * What the driver of a trip has been told of its waiting riders, and what to tell next: the newest place of each, and once
 * that there is none any more. Whatever comes by the bus, nobody is shown whom the trip does not allow to be shown.
 */
export class RiderView implements Disposable {
  readonly #feed: RiderFeed;
  readonly #told = new Map<string, RiderPlace>();

  constructor(feed: RiderFeed) {
    this.#feed = feed;
  }

  /** All that are shown now, for a snapshot. */
  all(trip: Trip): pb.RiderPlace[] {
    this.#told.clear();
    const messages: pb.RiderPlace[] = [];
    for (let next = this.next(trip); next; next = this.next(trip)) messages.push(next);
    return messages;
  }

  /** What the driver has not been told yet, or undefined. */
  next(trip: Trip): pb.RiderPlace | undefined {
    const { tripId } = trip;
    for (const riderId of this.#told.keys()) {
      if (this.#shown(trip, riderId)) continue;
      this.#told.delete(riderId);
      return create(pb.RiderPlaceSchema, { tripId, riderId });
    }
    for (const riderId of this.#feed.places.keys()) {
      const place = this.#shown(trip, riderId);
      if (!place || this.#told.get(riderId) === place) continue;
      this.#told.set(riderId, place);
      return riderMessage(place);
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    this.#feed[Symbol.dispose]();
  }

  #shown(trip: Trip, riderId: string): RiderPlace | undefined {
    const place = this.#feed.places.get(riderId);
    return place?.position && showsRider(trip, riderId) ? place : undefined;
  }
}
