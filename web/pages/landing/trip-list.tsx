import { useMemo } from "preact/hooks";
import type { Trip } from "../../../gen/bimride/tracking/v1/trip_pb.ts";
import type { Streets } from "../../map/nearest-street.ts";
import { placeName } from "../place-name.ts";
import type { TokenSource } from "../token-source.ts";
import { phaseShort } from "../words.ts";
import type { Fleet } from "./use-fleet.ts";
import { MAX_DETAILED, useTripDetails } from "./use-trip-details.ts";

type Props = { fleet: Fleet; token: TokenSource | undefined; streets: Streets | undefined };

/** The running trips as links, which is also the way to them by keyboard and screen reader. */
export function TripList({ fleet, token, streets }: Props) {
  const shown = fleet.tripIds.slice(0, MAX_DETAILED);
  const details = useTripDetails(shown, token);
  const ways = useMemo(() => waysOf(details, streets), [details, streets]);
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
          const way = ways.get(tripId);
          return (
            <li key={tripId}>
              <a href={`/trip/${tripId}`}>
                <span class="trip-way">{way ?? `Trip ${tripId.slice(-6)}`}</span>
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

/** From where to where each trip goes, where that is known. */
function waysOf(details: ReadonlyMap<string, Trip>, streets: Streets | undefined): Map<string, string> {
  const ways = new Map<string, string>();
  for (const [tripId, trip] of details) {
    const [from, to] = [trip.waypoints[0], trip.waypoints.at(-1)].map(
      (stop) => stop && placeName(stop, streets),
    );
    if (from && to) ways.set(tripId, `${from} to ${to}`);
  }
  return ways;
}
