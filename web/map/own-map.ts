import { Marker as MapMarker } from "maplibre-gl";
import { carElement } from "./car-icon.ts";
import type { BaseMap } from "./create-map.ts";

/** The map of a driver without a trip: where this device is. */
export class OwnMap {
  readonly #base: BaseMap;
  readonly #car = carElement();
  readonly #marker: MapMarker;

  constructor(base: BaseMap) {
    this.#base = base;
    this.#marker = new MapMarker({ element: this.#car.element });
  }

  show(place: { latDeg: number; lonDeg: number; headingDeg?: number }): void {
    this.#marker.setLngLat([place.lonDeg, place.latDeg]).addTo(this.#base.map);
    if (place.headingDeg !== undefined) this.#car.turn(place.headingDeg);
    this.#base.map.setCenter([place.lonDeg, place.latDeg]);
  }

  remove(): void {
    this.#base.remove();
  }
}
