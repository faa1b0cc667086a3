import { ROAD_CLASSES, type RoadClass } from "../../demo/city/road-classes.ts";

/** A point as in GeoJSON: longitude, latitude, degrees. */
export type Position = [number, number];

/** What the conversion uses of an OpenStreetMap way. */
export type Way = {
  class: RoadClass;
  name: string;
  points: Position[];
  /** Whether an ordinary car may drive along and against the order of the points; both false: not for cars. */
  forward: boolean;
  backward: boolean;
  /** Speed to count with: the posted limit, else what is usual for the class. */
  speedKmh: number;
  tunnel: boolean;
};

type Feature = {
  properties: Record<string, string | undefined>;
  geometry: { type: string; coordinates: unknown };
};

/** Usual speeds in a Swedish town where none is posted. */
const USUAL_KMH: Record<RoadClass, number> = {
  motorway: 80,
  trunk: 70,
  primary: 50,
  secondary: 50,
  tertiary: 50,
  unclassified: 40,
  residential: 30,
  living_street: 10,
  service: 15,
  path: 0,
};
const SLIP_ROAD_KMH = 50;
const FOR_FEET = new Set(["footway", "path", "cycleway", "steps", "pedestrian", "track", "bridleway"]);
const NOT_A_STREET = new Set(["platform", "construction"]);
const MINOR_SERVICE = new Set(["parking_aisle", "driveway", "drive-through", "bus", "parking"]);
const CLOSED = new Set(["no", "private", "psv"]);

/** The class of a `highway` value, or undefined for what is no street. */
function classOf(highway: string): RoadClass | undefined {
  if (FOR_FEET.has(highway)) return "path";
  if (highway === "road") return "unclassified";
  return ROAD_CLASSES.find((name) => name === highway.replace(/_link$/, ""));
}

function mayDrive(tags: Feature["properties"], roadClass: RoadClass): boolean {
  if (roadClass === "path") return false;
  const motor = tags.motor_vehicle ?? tags.access;
  return motor === undefined || !CLOSED.has(motor);
}

function speedOf(tags: Feature["properties"], roadClass: RoadClass): number {
  const posted = Number(tags.maxspeed);
  if (posted >= 5 && posted <= 120) return posted;
  const usual = USUAL_KMH[roadClass];
  return tags.highway?.endsWith("_link") ? Math.min(usual, SLIP_ROAD_KMH) : usual;
}

function toWay({ properties: tags, geometry }: Feature): Way | undefined {
  const highway = tags.highway ?? "";
  const roadClass = classOf(highway);
  if (geometry.type !== "LineString" || tags.area === "yes" || NOT_A_STREET.has(highway)) return undefined;
  if (!roadClass || (roadClass === "service" && MINOR_SERVICE.has(tags.service ?? ""))) return undefined;
  const drive = mayDrive(tags, roadClass);
  const impliedOneway = tags.junction === "roundabout" || /^motorway(_link)?$/.test(highway);
  const oneway = tags.oneway ?? (impliedOneway ? "yes" : "no");
  return {
    class: roadClass,
    name: tags.name ?? "",
    points: geometry.coordinates as Position[],
    forward: drive && oneway !== "-1",
    backward: drive && (oneway === "no" || oneway === "-1"),
    speedKmh: speedOf(tags, roadClass),
    tunnel: tags.tunnel === "yes",
  };
}

/** The streets and paths of an OpenStreetMap extract in GeoJSON; areas, platforms and building sites are left out. */
export function readWays(extract: { features: Feature[] }): Way[] {
  return extract.features.map(toWay).filter((way) => way !== undefined);
}
