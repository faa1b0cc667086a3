import {
  AttributionControl,
  Map as MapLibreMap,
  NavigationControl,
  type StyleSpecification,
  setWorkerUrl,
} from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import { baseStyle } from "./base-style.ts";
import { loadStreets } from "./city-streets.ts";
import type { Streets } from "./nearest-street.ts";
import { type Palette, paletteFor } from "./palette.ts";

/** A map that stands, and what belongs to it. */
export type BaseMap = {
  map: MapLibreMap;
  palette(): Palette;
  /** Calls back after every change of the style (light or dark), when own layers must be put on again. */
  onStyle(put: () => void): void;
  remove(): void;
};

/** The bundled streets, or undefined where another style is configured. Rejects when they can't be had. */
export async function streetsFor(styleUrl: string): Promise<Streets | undefined> {
  return styleUrl === "" ? await loadStreets() : undefined;
}

export type BaseMapOptions = {
  container: HTMLElement;
  /** Empty for the bundled streets. */
  styleUrl: string;
  streets: Streets | undefined;
  center: [number, number];
  zoom: number;
  label: string;
};

/** Makes a map; resolves once its style is there. Follows the system's dark mode. Rejects when WebGL fails. */
export async function createBaseMap(options: BaseMapOptions): Promise<BaseMap> {
  const { container, styleUrl, streets } = options;
  setWorkerUrl(workerUrl);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const palette = () => paletteFor(dark.matches);
  const style = (): StyleSpecification | string => (streets ? baseStyle(streets, palette()) : styleUrl);
  const map = new MapLibreMap({
    container,
    style: style(),
    center: options.center,
    zoom: options.zoom,
    minZoom: 9,
    maxZoom: 18,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    attributionControl: false,
    fadeDuration: 0,
    locale: { "Map.Title": options.label },
  });
  map.touchZoomRotate.disableRotation();
  map.addControl(new AttributionControl({ compact: false }), "bottom-right");
  map.addControl(new NavigationControl({ showCompass: false }), "top-right");
  const puts: (() => void)[] = [];
  const onScheme = () => {
    if (!streets) return;
    map.setStyle(style(), { diff: false });
    map.once("style.load", () => {
      for (const put of puts) put();
    });
  };
  dark.addEventListener("change", onScheme);
  await new Promise<void>((resolve) => map.once("style.load", () => resolve()));
  return {
    map,
    palette,
    onStyle(put) {
      puts.push(put);
      put();
    },
    remove() {
      dark.removeEventListener("change", onScheme);
      map.remove();
    },
  };
}
