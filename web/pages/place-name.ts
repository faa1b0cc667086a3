import type { Waypoint } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import { nearestStreet, type Streets } from "../map/nearest-street.ts";
import { waypointKind } from "./words.ts";

/**
 * What to call the place of a stop: its label; where there is none, or it merely repeats what happens there, the street.
 * Undefined when neither is known.
 */
export function placeName(stop: Waypoint, streets: Streets | undefined): string | undefined {
  const label = stop.label.trim();
  if (label !== "" && label.toLowerCase() !== waypointKind(stop).toLowerCase()) return label;
  if (!streets || !stop.position) return undefined;
  return nearestStreet(streets, { latDeg: stop.position.latitudeDeg, lonDeg: stop.position.longitudeDeg });
}
