import { type Waypoint, WaypointKind } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import { waypointKind } from "../pages/words.ts";

/** A stop on the map: a pin with its kind and name in text. */
export function waypointElement(stop: Waypoint, passed: boolean, place: string | undefined): HTMLElement {
  const element = document.createElement("div");
  element.className = `stop-marker ${stop.kind === WaypointKind.DROPOFF ? "is-dropoff" : "is-pickup"}`;
  if (passed) element.classList.add("is-passed");
  const label = document.createElement("div");
  label.className = "stop-label";
  const kind = document.createElement("strong");
  kind.textContent = waypointKind(stop);
  label.append(kind);
  if (place !== undefined) {
    const name = document.createElement("span");
    name.textContent = place;
    label.append(name);
  }
  const pin = document.createElement("div");
  pin.className = "stop-pin";
  element.append(label, pin);
  return element;
}
