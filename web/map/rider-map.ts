import type { FeatureCollection } from "geojson";
import { type GeoJSONSource, LngLatBounds, Marker as MapMarker } from "maplibre-gl";
import type { RiderPlace, TrailPoint } from "../../gen/bimride/tracking/v1/live_pb.ts";
import type { Trip, Waypoint } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import type { Pose } from "../motion/pose.ts";
import { carElement } from "./car-icon.ts";
import type { BaseMap } from "./create-map.ts";
import { riderElement } from "./rider-element.ts";
import { waypointElement } from "./waypoint-element.ts";

const EMPTY: FeatureCollection = { type: "FeatureCollection", features: [] };

function line(coordinates: [number, number][]): FeatureCollection {
  if (coordinates.length < 2) return EMPTY;
  const geometry = { type: "LineString" as const, coordinates };
  return { type: "FeatureCollection", features: [{ type: "Feature", properties: {}, geometry }] };
}

/** Room around what is to be seen, pixels; the panel covers a part of the map. */
export type Insets = { top: number; right: number; bottom: number; left: number };

export type RiderMapOptions = {
  insets(): Insets;
  /** True for people who want less motion. */
  calm(): boolean;
  /** What to call the place of a stop. */
  placeOf(stop: Waypoint): string | undefined;
  /** The person looks elsewhere: the map no longer keeps to the car. */
  onFollowing(on: boolean): void;
};

/** The rider's map: planned path, trail, stops and the car. */
export class RiderMap {
  readonly #base: BaseMap;
  readonly #car = carElement();
  readonly #carMarker: MapMarker;
  readonly #insets: () => Insets;
  readonly #calm: () => boolean;
  readonly #placeOf: (stop: Waypoint) => string | undefined;
  readonly #riders = new Map<string, MapMarker>();
  #stops: MapMarker[] = [];
  #stopsKey = "";
  #trip: Trip | undefined;
  #carOnMap = false;
  /** False while the person looks elsewhere. */
  #following = true;

  constructor(base: BaseMap, options: RiderMapOptions) {
    this.#base = base;
    this.#insets = options.insets;
    this.#calm = options.calm;
    this.#placeOf = options.placeOf;
    this.#carMarker = new MapMarker({ element: this.#car.element });
    base.onStyle(() => this.#putLayers());
    base.map.on("movestart", (event) => {
      // Moves by hand carry the event of the hand; our own do not.
      if (!event.originalEvent || !this.#following) return;
      this.#following = false;
      options.onFollowing(false);
    });
  }

  #putLayers(): void {
    const { map } = this.#base;
    const palette = this.#base.palette();
    for (const id of ["plan", "trail"])
      if (!map.getSource(id)) map.addSource(id, { type: "geojson", data: EMPTY });
    const layout = { "line-cap": "round", "line-join": "round" } as const;
    map.addLayer({
      id: "plan",
      type: "line",
      source: "plan",
      layout,
      paint: { "line-color": palette.plan, "line-width": 4, "line-dasharray": [0.01, 1.9] },
    });
    map.addLayer({
      id: "trail",
      type: "line",
      source: "trail",
      layout,
      paint: { "line-color": palette.trail, "line-width": 5, "line-opacity": 0.85 },
    });
    if (this.#trip) this.#showPlan(this.#trip);
  }

  #showPlan(trip: Trip): void {
    const path = trip.plannedPath.map((at): [number, number] => [at.longitudeDeg, at.latitudeDeg]);
    this.#base.map.getSource<GeoJSONSource>("plan")?.setData(line(path));
  }

  /** Shows the stops and the path of a trip. */
  showTrip(trip: Trip): void {
    this.#trip = trip;
    this.#showPlan(trip);
    const key = `${trip.waypointIndex}|${trip.waypoints.map((stop) => `${stop.label}${stop.position?.latitudeDeg}`)}`;
    if (key === this.#stopsKey) return;
    this.#stopsKey = key;
    for (const stop of this.#stops) stop.remove();
    this.#stops = trip.waypoints.flatMap((stop, index) => {
      if (!stop.position) return [];
      const element = waypointElement(stop, index < trip.waypointIndex, this.#placeOf(stop));
      const marker = new MapMarker({ element, anchor: "bottom" });
      return [
        marker.setLngLat([stop.position.longitudeDeg, stop.position.latitudeDeg]).addTo(this.#base.map),
      ];
    });
  }

  /** Draws the car and the way it came, up to what is shown of it. */
  showCar(pose: Pose | undefined, trail: readonly TrailPoint[], muted: boolean): void {
    if (!pose) {
      if (this.#carOnMap) this.#carMarker.remove();
      this.#carOnMap = false;
      this.#base.map.getSource<GeoJSONSource>("trail")?.setData(EMPTY);
      return;
    }
    this.#carMarker.setLngLat([pose.lonDeg, pose.latDeg]);
    if (!this.#carOnMap) this.#carMarker.addTo(this.#base.map);
    this.#carOnMap = true;
    if (pose.headingDeg !== undefined) this.#car.turn(pose.headingDeg);
    this.#car.element.style.opacity = pose.opacity.toFixed(2);
    this.#car.element.classList.toggle("is-muted", muted);
    const way: [number, number][] = [];
    for (const point of trail)
      if (Number(point.capturedAtMs) < pose.tMs) way.push([point.longitudeE7 / 1e7, point.latitudeE7 / 1e7]);
    way.push([pose.lonDeg, pose.latDeg]);
    this.#base.map.getSource<GeoJSONSource>("trail")?.setData(line(way));
  }

  /** Draws the riders who wait, for the driver who may see them. */
  showRiders(riders: readonly RiderPlace[]): void {
    const shown = new Set(riders.map(({ riderId }) => riderId));
    for (const [riderId, marker] of this.#riders) {
      if (shown.has(riderId)) continue;
      marker.remove();
      this.#riders.delete(riderId);
    }
    for (const { riderId, position } of riders) {
      if (!position) continue;
      const known = this.#riders.get(riderId);
      const marker = known ?? new MapMarker({ element: riderElement() });
      marker.setLngLat([position.longitudeE7 / 1e7, position.latitudeE7 / 1e7]);
      if (known) continue;
      marker.addTo(this.#base.map);
      this.#riders.set(riderId, marker);
    }
  }

  /** Brings the car and the stop it is bound for into view, and keeps to it. */
  follow(pose: Pose | undefined): void {
    this.#following = true;
    this.frame(pose, true);
  }

  /** Moves the map when the car is about to leave it, unless the person looks elsewhere. */
  frame(pose: Pose | undefined, always = false): void {
    const trip = this.#trip;
    if (!this.#following || (!pose && !trip)) return;
    const { map } = this.#base;
    const insets = this.#insets();
    if (!always && (!pose || map.isMoving() || this.#isWellInside(pose, insets))) return;
    const bounds = new LngLatBounds();
    if (pose) bounds.extend([pose.lonDeg, pose.latDeg]);
    const next = trip?.waypoints[Math.min(trip.waypointIndex, trip.waypoints.length - 1)]?.position;
    const seen = pose ? [next] : (trip?.waypoints ?? []).map((stop) => stop.position);
    for (const place of seen) if (place) bounds.extend([place.longitudeDeg, place.latitudeDeg]);
    if (bounds.isEmpty()) return;
    map.fitBounds(bounds, { padding: insets, maxZoom: 16, animate: !this.#calm(), duration: 900 });
  }

  #isWellInside(pose: Pose, insets: Insets): boolean {
    const { map } = this.#base;
    const at = map.project([pose.lonDeg, pose.latDeg]);
    const { clientWidth, clientHeight } = map.getContainer();
    return (
      at.x > insets.left * 0.8 &&
      at.y > insets.top * 0.8 &&
      at.x < clientWidth - insets.right * 0.8 &&
      at.y < clientHeight - insets.bottom * 0.9
    );
  }

  remove(): void {
    this.#base.remove();
  }
}
