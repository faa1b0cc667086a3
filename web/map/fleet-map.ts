import type { FeatureCollection, Point } from "geojson";
import type { GeoJSONSource } from "maplibre-gl";
import type { Car } from "../../gen/bimride/tracking/v1/fleet_pb.ts";
import { Freshness } from "../../gen/bimride/tracking/v1/live_pb.ts";
import { Marker } from "../motion/marker.ts";
import { carImage } from "./car-icon.ts";
import type { BaseMap } from "./create-map.ts";

/** Time between two pictures of the fleet: many small cars need no more. */
const DRAW_EVERY_MS = 80;
/** Colours of cars on a trip, free, and not heard of lately; light and dark. */
const COLORS = {
  light: { trip: "#0b6e69", free: "#6b7f8a", quiet: "#b6c0c4", edge: "#ffffff" },
  dark: { trip: "#3fc4b8", free: "#7f95a1", quiet: "#47575f", edge: "#10181f" },
};

type Tracked = { marker: Marker; car: Car; headingDeg: number };

/** The overview: every car of the area, moving. Bounded by the cars it is given. */
export class FleetMap {
  readonly #base: BaseMap;
  readonly #cars = new Map<string, Tracked>();
  readonly #calm: () => boolean;
  #drawnAtMs = 0;

  constructor(base: BaseMap, calm: () => boolean, onPick: (tripId: string) => void) {
    this.#base = base;
    this.#calm = calm;
    const { map } = base;
    base.onStyle(() => this.#putLayers());
    map.on("click", "cars", (event) => {
      const tripId: unknown = event.features?.[0]?.properties.tripId;
      if (typeof tripId === "string" && tripId !== "") onPick(tripId);
    });
    map.on("mousemove", "cars", (event) => {
      map.getCanvas().style.cursor = event.features?.[0]?.properties.tripId ? "pointer" : "";
    });
    map.on("mouseleave", "cars", () => {
      map.getCanvas().style.cursor = "";
    });
  }

  #putLayers(): void {
    const { map } = this.#base;
    const colors = matchMedia("(prefers-color-scheme: dark)").matches ? COLORS.dark : COLORS.light;
    for (const kind of ["trip", "free", "quiet"] as const) {
      const image = carImage(colors[kind], colors.edge);
      if (map.hasImage(`car-${kind}`)) map.updateImage(`car-${kind}`, image);
      else map.addImage(`car-${kind}`, image, { pixelRatio: 2 });
    }
    map.addSource("cars", { type: "geojson", data: this.#picture(0) });
    map.addLayer({
      id: "cars",
      type: "symbol",
      source: "cars",
      layout: {
        "icon-image": ["concat", "car-", ["get", "kind"]],
        "icon-size": ["interpolate", ["linear"], ["zoom"], 10, 0.6, 13, 1, 16, 1.7],
        "icon-rotate": ["get", "headingDeg"],
        "icon-rotation-alignment": "map",
        "icon-allow-overlap": true,
        "icon-ignore-placement": true,
        "symbol-sort-key": ["match", ["get", "kind"], "trip", 2, "free", 1, 0],
      },
    });
  }

  /** Takes the newest cars; those that are not among them leave. */
  update(cars: ReadonlyMap<string, Car>, nowMs: number): void {
    for (const driverId of this.#cars.keys()) if (!cars.has(driverId)) this.#cars.delete(driverId);
    for (const [driverId, car] of cars) {
      let tracked = this.#cars.get(driverId);
      if (tracked?.car === car) continue;
      if (!tracked) {
        tracked = { marker: new Marker(), car, headingDeg: car.headingDeg ?? 0 };
        this.#cars.set(driverId, tracked);
      }
      tracked.car = car;
      tracked.marker.push(
        {
          tMs: Number(car.capturedAtMs),
          latDeg: car.latitudeE7 / 1e7,
          lonDeg: car.longitudeE7 / 1e7,
          headingDeg: car.headingDeg,
        },
        nowMs,
      );
    }
  }

  /** Draws the fleet when it is time to. */
  draw(nowMs: number): void {
    if (nowMs - this.#drawnAtMs < (this.#calm() ? 1_000 : DRAW_EVERY_MS)) return;
    this.#drawnAtMs = nowMs;
    this.#base.map.getSource<GeoJSONSource>("cars")?.setData(this.#picture(nowMs));
  }

  #picture(nowMs: number): FeatureCollection<Point> {
    const features: FeatureCollection<Point>["features"] = [];
    for (const tracked of this.#cars.values()) {
      const pose = tracked.marker.sample(nowMs);
      if (!pose || pose.opacity < 0.5) continue;
      tracked.headingDeg = pose.headingDeg ?? tracked.headingDeg;
      const quiet = tracked.car.freshness >= Freshness.STALE;
      features.push({
        type: "Feature",
        properties: {
          kind: quiet ? "quiet" : tracked.car.tripId === "" ? "free" : "trip",
          tripId: tracked.car.tripId,
          headingDeg: tracked.headingDeg,
        },
        geometry: { type: "Point", coordinates: [pose.lonDeg, pose.latDeg] },
      });
    }
    return { type: "FeatureCollection", features };
  }

  remove(): void {
    this.#base.remove();
  }
}
