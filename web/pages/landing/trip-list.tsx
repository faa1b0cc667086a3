import type { TokenSource } from "../token-source.ts";
import { phaseShort, waypointName } from "../words.ts";
import type { Fleet } from "./use-fleet.ts";
import { MAX_DETAILED, useTripDetails } from "./use-trip-details.ts";

/** The running trips as links, which is also the way to them by keyboard and screen reader. */
export function TripList({ fleet, token }: { fleet: Fleet; token: TokenSource | undefined }) {
  const shown = fleet.tripIds.slice(0, MAX_DETAILED);
  const details = useTripDetails(shown, token);
  if (shown.length === 0) {
    return (
      <p class="empty">{fleet.connected ? "No trip is running here right now." : "Waiting for the city…"}</p>
    );
  }
  return (
    <nav aria-label="Running trips">
      <ul class="trips">
        {shown.map((tripId) => {
          const trip = details.get(tripId);
          const from = trip?.waypoints[0];
          const to = trip?.waypoints.at(-1);
          const named = from && to && (from.label !== "" || to.label !== "");
          return (
            <li key={tripId}>
              <a href={`/trip/${tripId}`}>
                <span class="trip-way">
                  {named ? `${waypointName(from)} to ${waypointName(to)}` : `Trip ${tripId.slice(-6)}`}
                </span>
                <span class="trip-phase">{trip ? phaseShort(trip) : "Running"}</span>
              </a>
            </li>
          );
        })}
      </ul>
      {fleet.tripIds.length > shown.length && (
        <p class="hint">{`and ${fleet.tripIds.length - shown.length} more on the map`}</p>
      )}
    </nav>
  );
}
