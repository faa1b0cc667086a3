import { Freshness } from "../../../gen/bimride/tracking/v1/live_pb.ts";
import type { Trip } from "../../../gen/bimride/tracking/v1/trip_pb.ts";
import type { TripState } from "../../client/watcher.ts";
import { nearestStreet, type Streets } from "../../map/nearest-street.ts";
import { courseDeg, distanceM } from "../../motion/flat-earth.ts";
import { placeName } from "../place-name.ts";
import { clockTime, directionWords, distanceWords, isOver, waypointKind } from "../words.ts";

type Props = { state: TripState; streets: Streets | undefined; open: boolean };

/** Where the car is, in words: for those who can't see the map, and for those who would rather read. */
export function InWords({ state, streets, open }: Props) {
  const { trip, position } = state;
  if (!trip || !position || isOver(trip)) return null;
  const car = { latDeg: position.latitudeE7 / 1e7, lonDeg: position.longitudeE7 / 1e7 };
  const street = streets && nearestStreet(streets, car);
  const old = state.freshness.freshness >= Freshness.STALE;
  const facts: [string, string][] = [
    [
      old ? "Last seen" : "Where",
      [street ? `On ${street}` : "", toNextStop(trip, car)].filter(Boolean).join(", "),
    ],
    [old ? "Was" : "Moving", movement(position.speedCmps, position.headingDeg)],
    [old ? "At" : "Seen at", clockTime(Number(position.capturedAtMs))],
  ];
  return (
    <section class={`in-words ${open ? "is-open" : ""}`} aria-label="Where the car is">
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** Distance and direction to the stop the car is bound for; empty when there is none. */
function toNextStop(trip: Trip, car: { latDeg: number; lonDeg: number }): string {
  const stop = trip.waypoints[trip.waypointIndex];
  if (!stop?.position) return "";
  const place = { latDeg: stop.position.latitudeDeg, lonDeg: stop.position.longitudeDeg };
  const metres = distanceM(car, place);
  const kind = waypointKind(stop).toLowerCase();
  const named = placeName(stop, undefined);
  const name = named ?? `the ${kind}`;
  if (metres < 30) return `at ${name}`;
  return `${distanceWords(metres)} ${directionWords(courseDeg(place, car))} of ${name}`;
}

function movement(speedCmps: number | undefined, headingDeg: number | undefined): string {
  if (speedCmps === undefined) return "Not known";
  const kmh = (speedCmps * 36) / 1000;
  if (kmh < 3) return "Standing";
  const rounded = Math.round(kmh / 5) * 5;
  const course = headingDeg === undefined ? "" : `${directionWords(headingDeg)} `;
  return `Heading ${course}at about ${Math.max(5, rounded)} km/h`;
}
