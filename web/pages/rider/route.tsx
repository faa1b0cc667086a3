import { type Trip, TripStatus } from "../../../gen/bimride/tracking/v1/trip_pb.ts";
import type { Streets } from "../../map/nearest-street.ts";
import { placeName } from "../place-name.ts";
import { isOver, waypointKind } from "../words.ts";

const ARRIVED: readonly TripStatus[] = [
  TripStatus.ARRIVED_AT_PICKUP,
  TripStatus.ARRIVED_AT_INTERMEDIATE_DESTINATION,
  TripStatus.ARRIVED_AT_DROPOFF,
];

/** The stops in order: what is behind, what is next, what comes after. */
export function Route({ trip, streets }: { trip: Trip; streets: Streets | undefined }) {
  const over = isOver(trip);
  const here = ARRIVED.includes(trip.status);
  return (
    <ol class="route" aria-label="Stops">
      {trip.waypoints.map((stop, index) => {
        const passed = index < trip.waypointIndex;
        const next = index === trip.waypointIndex && !over;
        const word = passed ? "done" : next ? (here ? "here now" : "next") : "";
        return (
          <li
            key={index}
            class={`${passed ? "is-passed" : next ? "is-next" : ""} ${index === trip.waypoints.length - 1 ? "is-last" : ""}`}
            aria-current={next ? "step" : undefined}
          >
            <span class="route-kind">
              {waypointKind(stop)}
              {word !== "" && <em>{word}</em>}
            </span>
            <span class="route-name">{placeName(stop, streets) ?? "Marked on the map"}</span>
          </li>
        );
      })}
    </ol>
  );
}
