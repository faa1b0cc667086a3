import type { LayerSpecification, LineLayerSpecification, StyleSpecification } from "maplibre-gl";
import type { Streets } from "./nearest-street.ts";
import type { Palette } from "./palette.ts";

type Width = NonNullable<NonNullable<LineLayerSpecification["paint"]>["line-width"]>;

const MINOR = ["unclassified", "residential", "living_street", "tertiary"];
const MAJOR = ["motorway", "trunk", "primary", "secondary"];

/** Widths in pixels at zoom 11, 14 and 17; doubling between, as the streets on the map do. */
function width(at11: number, at14: number, at17: number): Width {
  return ["interpolate", ["exponential", 1.6], ["zoom"], 11, at11, 14, at14, 17, at17];
}

function roads(
  id: string,
  classes: string[],
  color: string,
  lineWidth: Width,
  minzoom = 0,
): LayerSpecification {
  return {
    id,
    type: "line",
    source: "streets",
    minzoom,
    filter: ["in", ["get", "class"], ["literal", classes]],
    layout: { "line-cap": "round", "line-join": "round" },
    paint: { "line-color": color, "line-width": lineWidth },
  };
}

/**
 * A quiet map of streets alone. Names are drawn by the browser's own fonts (MapLibre does so without a glyphs URL), so
 * that nothing has to be loaded.
 */
export function baseStyle(streets: Streets, palette: Palette): StyleSpecification {
  return {
    version: 8,
    sources: {
      streets: { type: "geojson", data: streets.lines, attribution: streets.attribution, tolerance: 0.5 },
    },
    layers: [
      { id: "land", type: "background", paint: { "background-color": palette.land } },
      roads("paths", ["path", "service"], palette.path, width(0.2, 0.9, 3), 12.5),
      roads("minor-edge", MINOR, palette.minorEdge, width(0.8, 4, 17), 12),
      roads("major-edge", MAJOR, palette.majorEdge, width(2.2, 7.5, 25)),
      roads("minor", MINOR, palette.minor, width(0.8, 2.8, 14)),
      roads("major", MAJOR, palette.major, width(1.3, 5.5, 21)),
      {
        id: "names",
        type: "symbol",
        source: "streets",
        minzoom: 13.2,
        filter: [
          "all",
          ["!=", ["get", "name"], ""],
          ["in", ["get", "class"], ["literal", [...MINOR, ...MAJOR]]],
        ],
        layout: {
          "symbol-placement": "line",
          "text-field": ["get", "name"],
          "text-font": ["Liberation Sans", "Helvetica Neue", "Arial"],
          "text-size": ["interpolate", ["linear"], ["zoom"], 13, 10, 17, 13],
          "text-max-angle": 30,
          "text-padding": 12,
          "symbol-spacing": 320,
        },
        paint: {
          "text-color": palette.label,
          "text-halo-color": palette.labelHalo,
          "text-halo-width": 1.4,
        },
      },
    ],
  };
}
