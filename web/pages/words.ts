import { Freshness, FreshnessReason as Reason } from "../../gen/bimride/tracking/v1/live_pb.ts";
import { type Trip, TripStatus, type Waypoint, WaypointKind } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import type { FreshnessView } from "../client/trip-state.ts";

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/** Wall-clock time of this device, hours and minutes. */
export function clockTime(ms: number): string {
  return CLOCK.format(ms);
}

/** True once the trip is over. */
export function isOver(trip: Trip | undefined): boolean {
  return trip?.status === TripStatus.COMPLETE || trip?.status === TripStatus.CANCELED;
}

/** The phase as a headline for the rider. */
export function phaseHeadline(trip: Trip): string {
  switch (trip.status) {
    case TripStatus.ENROUTE_TO_PICKUP:
      return "Your driver is on the way";
    case TripStatus.ARRIVED_AT_PICKUP:
      return "Your driver is here";
    case TripStatus.ENROUTE_TO_INTERMEDIATE_DESTINATION:
      return "On the way to the next stop";
    case TripStatus.ARRIVED_AT_INTERMEDIATE_DESTINATION:
      return "At a stop on the way";
    case TripStatus.ENROUTE_TO_DROPOFF:
      return "You are on your way";
    case TripStatus.ARRIVED_AT_DROPOFF:
      return "You have arrived";
    case TripStatus.COMPLETE:
      return "This trip is complete";
    case TripStatus.CANCELED:
      return "This trip was canceled";
    default:
      return trip.driverId === "" ? "Looking for a driver" : "Your driver will set off soon";
  }
}

/** The phase in a few words for a list. */
export function phaseShort(trip: Trip): string {
  switch (trip.status) {
    case TripStatus.ENROUTE_TO_PICKUP:
      return "On the way to the pickup";
    case TripStatus.ARRIVED_AT_PICKUP:
      return "Waiting at the pickup";
    case TripStatus.ENROUTE_TO_INTERMEDIATE_DESTINATION:
      return "On the way to a stop";
    case TripStatus.ARRIVED_AT_INTERMEDIATE_DESTINATION:
      return "At a stop";
    case TripStatus.ENROUTE_TO_DROPOFF:
      return "On the way to the dropoff";
    case TripStatus.ARRIVED_AT_DROPOFF:
      return "At the dropoff";
    case TripStatus.COMPLETE:
      return "Complete";
    case TripStatus.CANCELED:
      return "Canceled";
    default:
      return "Starting soon";
  }
}

/** What happens at a waypoint, in a word. */
export function waypointKind(waypoint: Waypoint): string {
  if (waypoint.kind === WaypointKind.PICKUP) return "Pickup";
  return waypoint.kind === WaypointKind.DROPOFF ? "Dropoff" : "Stop";
}

/** What is wrong, with the time of the last position, or without where there has been none. */
type Complaint = (time: string | undefined) => string;

const since = (time: string | undefined, so: string, now: string): string =>
  time === undefined ? `${now}.` : `${so} since ${time}.`;

/** Why there is no newer position. */
const REASONS: { readonly [reason: number]: Complaint } = {
  [Reason.NO_DRIVER]: () => "No driver is assigned yet.",
  [Reason.NO_POSITION_YET]: () => "The driver's phone has not sent a position yet.",
  [Reason.NO_SIGNAL]: (time) =>
    since(time, "The driver's phone has had no signal", "The driver's phone has no signal"),
  [Reason.LOCATION_OFF]: (time) =>
    since(
      time,
      "Location has been switched off on the driver's phone",
      "Location is switched off on the driver's phone",
    ),
  [Reason.NO_PERMISSION]: (time) =>
    since(
      time,
      "The driver's app has not been allowed to see its location",
      "The driver's app is not allowed to see its location",
    ),
  [Reason.AIRPLANE_MODE]: (time) =>
    since(time, "The driver's phone has been in airplane mode", "The driver's phone is in airplane mode"),
  [Reason.BATTERY_EMPTY]: (time) =>
    time === undefined
      ? "The battery of the driver's phone is nearly empty."
      : `The driver's phone went silent at ${time}, its battery nearly empty.`,
  [Reason.DISCONNECTED]: (time) =>
    time === undefined ? "The driver's app is closed." : `The driver's app was closed at ${time}.`,
  [Reason.BACKGROUND]: (time) =>
    since(
      time,
      "The driver's app is in the background and has been given no position",
      "The driver's app is in the background and is given no position",
    ),
  [Reason.CATCHING_UP]: (time) =>
    `The driver's phone is catching up after an outage.${time === undefined ? "" : ` The last position is from ${time}.`}`,
  [Reason.SERVICE]: (time) =>
    `We have trouble on our side.${time === undefined ? "" : ` The last position is from ${time}.`}`,
};

/** Why a position is not to be trusted, however fresh it is. */
const DOUBTS: { readonly [reason: number]: string } = {
  [Reason.MOCK_LOCATION]: "The driver's phone reports made-up positions.",
  [Reason.APPROXIMATE_LOCATION]: "The driver's phone tells only roughly where it is.",
};

/**
 * Why the car on the map is not where it is now, or may not be, in a sentence; undefined while all is well, and while nothing
 * is known.
 */
export function freshnessSentence(view: FreshnessView, offline: boolean): string | undefined {
  if (view.freshness === Freshness.LIVE) return DOUBTS[view.reason];
  const time = view.sinceMs > 0 ? clockTime(view.sinceMs) : undefined;
  if (view.assumed) {
    return offline
      ? `Nothing has been heard since ${time}, because the connection to Bimride is down.`
      : `Nothing new has been heard since ${time}.`;
  }
  if (time !== undefined)
    return REASONS[view.reason]?.(time) ?? DOUBTS[view.reason] ?? `The last position is from ${time}.`;
  return REASONS[view.reason]?.(undefined) ?? DOUBTS[view.reason];
}

/** How fresh, in a word or two. */
export function freshnessLabel(view: FreshnessView): string {
  switch (view.freshness) {
    case Freshness.LIVE:
      return DOUBTS[view.reason] === undefined ? "Live" : "Not certain";
    case Freshness.DELAYED:
      return "A little late";
    case Freshness.STALE:
      return "Out of date";
    case Freshness.LOST:
      return "Lost sight of the car";
    default:
      return "No position yet";
  }
}

/** A distance for people: 80 m, 1.4 km, 23 km. */
export function distanceWords(metres: number): string {
  if (metres < 950) return `${Math.max(10, Math.round(metres / 10) * 10)} m`;
  if (metres < 9_950) return `${(metres / 1000).toFixed(1)} km`;
  return `${Math.round(metres / 1000)} km`;
}

const DIRECTIONS = ["north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"];

/** A course in words. */
export function directionWords(deg: number): string {
  return DIRECTIONS[Math.round((((deg % 360) + 360) % 360) / 45) % 8]!;
}

/** What to say when nothing (more) comes, by the code of the problem. */
export function problemWords(code: string): { title: string; text: string } {
  switch (code) {
    case "LIVE_ENDED":
      return {
        title: "The live view has ended",
        text: "A trip can be watched until 30 minutes after its end.",
      };
    case "NOT_FOUND":
      return {
        title: "No such trip",
        text: "There is no trip under this address, or it is not yours to see.",
      };
    default:
      return { title: "Not to be had right now", text: "We are trying again in a moment." };
  }
}
