import { create, type MessageInitShape } from "@bufbuild/protobuf";
import * as pb from "../../../gen/bimride/tracking/v1/live_pb.ts";
import type { Principal } from "../../auth/principal.ts";
import { type FreshnessNow, freshnessOf } from "../../core/freshness.ts";
import type { Limits } from "../../core/limits.ts";
import type { DeviceStatus, LiveChange, LivePosition, TripLive } from "../../core/live.ts";
import type { Trip } from "../../core/trip.ts";
import type { Version } from "../../core/version.ts";
import { mayWatch, type TripView, viewOf } from "../redact.ts";
import { freshnessMessage, positionMessage, trailMessage, versionMessage } from "../wire/live-messages.ts";
import { tripMessage } from "../wire/trip-messages.ts";

type Answer = NonNullable<MessageInitShape<typeof pb.WatchTripsResponseSchema>["message"]>;
/** A message for the viewer, with the position in it, where a change brought one, as it was stamped on its way. */
export type ViewerMessage = { message: Answer; position?: LivePosition };

/** The live state as the principal may see it; undefined when they may not watch the trip at all. */
export function liveTripFor(
  live: TripLive,
  principal: Principal,
  freshness: FreshnessNow,
): pb.LiveTrip | undefined {
  const view = mayWatch(principal, live.trip) ? viewOf(live.trip, principal) : undefined;
  if (!view) return undefined;
  const message = create(pb.LiveTripSchema, {
    trip: tripMessage(view.trip),
    version: versionMessage(live.version),
    freshness: freshnessMessage(freshness),
  });
  if (!view.seesCar) return message;
  message.trail = live.trail.map((point) => create(pb.TrailPointSchema, trailMessage(point)));
  if (live.position) message.position = positionMessage(live.position);
  return message;
}

/** Freshness of a live state; of nothing when the viewer does not see the car. */
export function freshnessFor(
  live: Pick<TripLive, "trip" | "position" | "device">,
  seesCar: boolean,
  nowMs: number,
  limits: Limits,
): FreshnessNow {
  if (!seesCar) return { freshness: "none", reason: "none", sinceMs: 0, changesAtMs: Infinity };
  const { position, device } = live;
  return freshnessOf({ nowMs, hasDriver: live.trip.driverId !== "", position, device }, limits);
}

/** What one viewer has been told of one trip, and what to tell next. Keeps no trail. */
export class ViewerTrip {
  readonly #principal: Principal;
  readonly #limits: Limits;
  #live: Omit<TripLive, "trail">;
  #view: TripView | undefined;
  #told: FreshnessNow;

  /** @param live the state that the first message is about */
  constructor(live: TripLive, principal: Principal, nowMs: number, limits: Limits) {
    this.#principal = principal;
    this.#limits = limits;
    this.#live = live;
    this.#view = this.#look();
    this.#told = this.#freshness(nowMs);
  }

  /** False once the principal may not (or no longer) watch the trip: then nothing more may be told. */
  get visible(): boolean {
    return this.#view !== undefined;
  }

  /** The trip as the viewer may see it. */
  get trip(): Trip | undefined {
    return this.#view?.trip;
  }

  /** When live access to the trip ends; 0 while it runs. */
  get dropAtMs(): number {
    return this.#live.dropAtMs;
  }

  /** The trip, while the principal sees where its car is. */
  get watchedTrip(): Trip | undefined {
    return this.#view?.seesCar ? this.#live.trip : undefined;
  }

  get version(): Version {
    return this.#live.version;
  }

  /** When freshness changes by time alone. */
  get changesAtMs(): number {
    return this.#told.changesAtMs;
  }

  snapshot(live: TripLive, nowMs: number): ViewerMessage | undefined {
    this.#live = live;
    this.#view = this.#look();
    this.#told = this.#freshness(nowMs);
    const value = liveTripFor(live, this.#principal, this.#told);
    if (!value) return undefined;
    return { message: { case: "snapshot", value } };
  }

  /** The answer to a resume when nothing is missing. */
  unchanged(nowMs: number): ViewerMessage {
    this.#told = this.#freshness(nowMs);
    const { tripId } = this.#live;
    return { message: { case: "unchanged", value: { tripId, freshness: freshnessMessage(this.#told) } } };
  }

  /** A change, or undefined when this viewer sees no difference. A new generation is told as a snapshot: it begins anew. */
  change(change: LiveChange, nowMs: number): ViewerMessage | undefined {
    if (change.version.generation !== this.#live.version.generation) {
      const anew = this.snapshot(this.#anew(change), nowMs);
      return anew && { ...anew, ...this.#stamps(change.position) };
    }
    const { trip, position, device, latePoints } = change;
    this.#live = {
      ...this.#live,
      version: change.version,
      position: position ?? this.#live.position,
      device: device ?? this.#live.device,
    };
    if (trip) this.#setTrip(trip);
    if (!this.#view) return undefined;
    const value = create(pb.TripUpdateSchema, {
      tripId: change.tripId,
      version: versionMessage(change.version),
    });
    if (trip) value.trip = tripMessage(this.#view.trip);
    if (this.#view.seesCar) {
      if (position) value.position = positionMessage(position);
      if (latePoints)
        value.latePoints = latePoints.map((point) => create(pb.TrailPointSchema, trailMessage(point)));
    }
    const freshness = this.#changedFreshness(nowMs);
    if (freshness) value.freshness = freshnessMessage(freshness);
    if (!value.trip && !value.position && !value.freshness && value.latePoints.length === 0) return undefined;
    return { message: { case: "update", value }, ...this.#stamps(position) };
  }

  /** New freshness when time alone changed it. */
  aged(nowMs: number): ViewerMessage | undefined {
    const freshness = this.#changedFreshness(nowMs);
    if (!freshness) return undefined;
    const { tripId, version } = this.#live;
    return {
      message: {
        case: "update",
        value: { tripId, version: versionMessage(version), freshness: freshnessMessage(freshness) },
      },
    };
  }

  /** The new freshness when its level or reason differs from what was told; in any case the time of the next change. */
  #changedFreshness(nowMs: number): FreshnessNow | undefined {
    const before = this.#told;
    this.#told = this.#freshness(nowMs);
    const same = before.freshness === this.#told.freshness && before.reason === this.#told.reason;
    return same ? undefined : this.#told;
  }

  #freshness(nowMs: number): FreshnessNow {
    return freshnessFor(this.#live, this.#view?.seesCar ?? false, nowMs, this.#limits);
  }

  #look(): TripView | undefined {
    return mayWatch(this.#principal, this.#live.trip) ? viewOf(this.#live.trip, this.#principal) : undefined;
  }

  #setTrip(trip: TripLive["trip"]): void {
    const dropAtMs = trip.endedAtMs > 0 ? trip.endedAtMs + this.#limits.liveAfterEndMs : 0;
    this.#live = { ...this.#live, trip, dropAtMs };
    this.#view = this.#look();
  }

  #anew(change: LiveChange): TripLive {
    const { tripId, version, position } = change;
    const trip = change.trip ?? this.#live.trip;
    const device: DeviceStatus | undefined = change.device;
    const dropAtMs = trip.endedAtMs > 0 ? trip.endedAtMs + this.#limits.liveAfterEndMs : 0;
    const trail = [...(change.latePoints ?? []), ...(position ? [position] : [])];
    return { tripId, version, trip, position, trail, device, dropAtMs };
  }

  #stamps(position: LivePosition | undefined): { position?: LivePosition } {
    return position && this.#view?.seesCar ? { position } : {};
  }
}
