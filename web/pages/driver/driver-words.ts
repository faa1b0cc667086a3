import { AssignmentEndReason } from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import { type Trip, TripStatus } from "../../../gen/bimride/tracking/v1/trip_pb.ts";
import type { ActionOutcome, DriverAction } from "../../driver-client/actions.ts";
import type { DriverAssignment, DriverState, WantedRate } from "../../driver-client/driver-state.ts";
import type { LocatingState } from "./locating.ts";

/** What waits to be sent. */
export function unsentWords({ unsent, connection }: DriverState): string {
  if (unsent === 0) return "Everything is sent";
  const what = unsent === 1 ? "1 position" : `${unsent} positions`;
  return connection.transport === undefined ? `${what} waiting` : `${what} on the way`;
}

/** Reasons of the wanted rate; see the table in docs/API.md. */
const RATE_REASONS: { [reason: string]: string } = {
  ON_TRIP: "you are on a trip",
  ON_TRIP_UNWATCHED: "nobody watches this trip right now",
  OFFERED: "there is a trip for you",
  NEAR_PICKUP: "the pickup is near",
  NEAR_STOP: "the next stop is near",
  AT_STOP: "you are at a stop",
  TURNING: "you are turning",
  FAST: "you are driving fast",
  STANDING: "you are standing",
  PARKED: "you are parked",
  IDLE: "you have no trip",
  LOW_BATTERY: "your battery is low",
  SERVER_BUSY: "Bimride is busy",
  SERVER_OVERLOADED: "Bimride is very busy",
};

/** How often positions are wanted, and why. */
export function rateWords({ intervalMs, accuracy, reason }: WantedRate): string {
  const seconds = Math.round(intervalMs / 100) / 10;
  const often = seconds === 1 ? "every second" : `every ${seconds} seconds`;
  const why = RATE_REASONS[reason];
  const exact = accuracy === "high" ? ", as exact as possible" : accuracy === "low" ? ", roughly" : "";
  return `${often}${exact}${why ? `, because ${why}` : ""}`;
}

/** The trip as a headline for its driver. */
export function driverHeadline(assignment: DriverAssignment | undefined): string {
  if (!assignment) return "Ready to drive";
  const { trip } = assignment;
  if (!trip) return "No trip right now";
  switch (trip.status) {
    case TripStatus.NEW:
      return "A trip for you";
    case TripStatus.ENROUTE_TO_PICKUP:
      return "Drive to the pickup";
    case TripStatus.ARRIVED_AT_PICKUP:
      return "Wait for your rider";
    case TripStatus.ENROUTE_TO_INTERMEDIATE_DESTINATION:
      return "Drive to the next stop";
    case TripStatus.ARRIVED_AT_INTERMEDIATE_DESTINATION:
      return "At the stop";
    case TripStatus.ENROUTE_TO_DROPOFF:
      return "Drive to the dropoff";
    default:
      return "At the dropoff";
  }
}

/** How the trip before came to be gone; empty when there is nothing to say. */
export function endedWords(assignment: DriverAssignment | undefined): string {
  const ended = assignment?.ended;
  if (!ended || assignment?.trip) return "";
  if (ended.reason === AssignmentEndReason.COMPLETE) return "Your last trip is complete.";
  if (ended.reason === AssignmentEndReason.REASSIGNED) return "Your last trip went to another driver.";
  if (ended.reason !== AssignmentEndReason.CANCELED) return "Your last trip has ended.";
  return ended.cancelReason
    ? `Your last trip was canceled: ${ended.cancelReason}`
    : "Your last trip was canceled.";
}

/** What can be done next, the likeliest first. */
export function nextActions({
  status,
  waypoints,
  waypointIndex,
}: Trip): { action: DriverAction; label: string }[] {
  switch (status) {
    case TripStatus.NEW:
      return [
        { action: "accept", label: "Accept" },
        { action: "decline", label: "Decline" },
      ];
    case TripStatus.ENROUTE_TO_PICKUP:
    case TripStatus.ENROUTE_TO_INTERMEDIATE_DESTINATION:
    case TripStatus.ENROUTE_TO_DROPOFF:
      return [{ action: "arrive", label: "Arrived" }];
    case TripStatus.ARRIVED_AT_DROPOFF:
      return [{ action: "complete", label: "Complete" }];
    default:
      return waypointIndex >= waypoints.length - 1
        ? [{ action: "complete", label: "Complete" }]
        : [{ action: "start", label: "Start" }];
  }
}

/** Why an action was not done; empty when it was. */
export function outcomeWords({ code, retryable }: ActionOutcome): string {
  if (code === "") return "";
  if (retryable) return "That did not work just now. Try again.";
  if (code === "NOT_FOUND" || code === "TRIP_ENDED") return "This trip is not yours any more.";
  return "That can't be done now.";
}

/** What is wrong with the place, and what to do; undefined when nothing is. */
export function locatingProblem(state: LocatingState): { title: string; text: string } | undefined {
  switch (state) {
    case "insecure":
      return {
        title: "This address is not secure",
        text: "Browsers tell your location to pages over HTTPS only. Open this page by its https address.",
      };
    case "unsupported":
      return { title: "This browser can't locate", text: "Open this page in another browser." };
    case "denied":
      return {
        title: "Location is not allowed",
        text: "Allow it for this page in your browser's settings, then reload the page.",
      };
    case "searching":
      return {
        title: "Looking for your position",
        text: "Is location switched on? Under the open sky it is found sooner.",
      };
    default:
      return undefined;
  }
}
