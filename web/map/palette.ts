/** Colours of the map, light and dark. Those of the page are in base.css. */
export type Palette = {
  land: string;
  minor: string;
  minorEdge: string;
  major: string;
  majorEdge: string;
  path: string;
  label: string;
  labelHalo: string;
  plan: string;
  trail: string;
  accuracy: string;
};

const LIGHT: Palette = {
  land: "#e6ebe6",
  minor: "#ffffff",
  minorEdge: "#d3dbd5",
  major: "#fdf6e3",
  majorEdge: "#d9cfae",
  path: "#d9e0da",
  label: "#5b6b72",
  labelHalo: "#ffffff",
  plan: "#8fa3ad",
  trail: "#0b6e69",
  accuracy: "#0b6e69",
};

const DARK: Palette = {
  land: "#10181f",
  minor: "#22303a",
  minorEdge: "#18232b",
  major: "#36454c",
  majorEdge: "#1b272f",
  path: "#1b2730",
  label: "#8fa3ad",
  labelHalo: "#10181f",
  plan: "#5d7380",
  trail: "#3fc4b8",
  accuracy: "#3fc4b8",
};

export function paletteFor(dark: boolean): Palette {
  return dark ? DARK : LIGHT;
}
