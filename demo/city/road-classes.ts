/**
 * Classes of streets, from the busiest down; OpenStreetMap's `highway` values, slip roads with the road they serve.
 * The packed files refer to a class by its place in this list. `path` is for feet and bicycles and is not in the graph.
 */
export const ROAD_CLASSES = [
  "motorway",
  "trunk",
  "primary",
  "secondary",
  "tertiary",
  "unclassified",
  "residential",
  "living_street",
  "service",
  "path",
] as const;
export type RoadClass = (typeof ROAD_CLASSES)[number];

/** What the map and everything made from these files has to show. */
export const CITY_ATTRIBUTION = "© OpenStreetMap contributors, ODbL";
