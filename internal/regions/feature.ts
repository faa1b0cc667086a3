import type { Position } from "geojson";
import { isHostAndPort } from "../core/host-and-port.ts";
import { KEYSPACE_PATTERN, REGION_PATTERN } from "../core/ids.ts";
import { areaOf } from "./area.ts";
import { partOverlapsOf } from "./overlap.ts";
import type { Region, RegionArea, RegionEngines } from "./regions.ts";
import { readRings } from "./rings.ts";

/** A feature of a region file as far as it could be read. */
export type RegionFeature = { region: Region; isDefault: boolean };

const DATA_CENTER = /^[A-Za-z0-9_-]{1,100}$/;

type EngineProperty = { list: boolean; accept: (value: string) => boolean; words: string };

const ADDRESSES: EngineProperty = {
  list: true,
  accept: isHostAndPort,
  words: "a list of host:port with ports from 1 to 65535",
};

/** What a region may say of its engines, and what such a value looks like. */
const ENGINE_PROPERTIES: Readonly<Record<keyof RegionEngines, EngineProperty>> = {
  natsServers: ADDRESSES,
  redisNodes: ADDRESSES,
  cassandraContactPoints: ADDRESSES,
  cassandraLocalDc: {
    list: false,
    accept: (value) => DATA_CENTER.test(value),
    words: "1 to 100 of A-Z a-z 0-9 _ -",
  },
  cassandraKeyspace: {
    list: false,
    accept: (value) => KEYSPACE_PATTERN.test(value),
    words: "1 to 48 of a-z 0-9 _, a letter first, and not system or system_…, which are Cassandra's own",
  },
};

/**
 * Reads one feature; what is wrong goes to `problems`, a line each, with the feature's index and name.
 * @returns undefined when it is no region at all
 */
export function readFeature(feature: unknown, index: number, problems: string[]): RegionFeature | undefined {
  const { type, geometry, properties } = (feature ?? {}) as Record<string, unknown>;
  const given = (properties ?? {}) as Record<string, unknown>;
  const name = typeof given.name === "string" ? given.name : "";
  const where = `features[${index}]${name && ` ${JSON.stringify(name)}`}`;
  const report = (problem: string) => problems.push(`${where}: ${problem}`);
  if (type !== "Feature") {
    report("is no GeoJSON Feature");
    return undefined;
  }
  if (!REGION_PATTERN.test(name)) report("name must be 1 to 16 of a-z 0-9");
  if (given.default !== undefined && typeof given.default !== "boolean")
    report("default must be true or false");
  const region = { name, areas: readAreas(geometry, report), engines: readEngines(given, report) };
  return { region, isDefault: given.default === true };
}

function readAreas(geometry: unknown, report: (problem: string) => void): RegionArea[] {
  const { type, coordinates } = (geometry ?? {}) as Record<string, unknown>;
  if (type !== "Polygon" && type !== "MultiPolygon") {
    report(`geometry must be a Polygon or a MultiPolygon`);
    return [];
  }
  const polygons: unknown[] = type === "Polygon" ? [coordinates] : listOf(coordinates);
  if (polygons.length === 0) report("is empty: it has no polygon");
  const read = polygons.map((rings, i) => {
    const where = type === "Polygon" ? "" : `polygon ${i}, `;
    return readRings(listOf(rings), (problem) => report(`${where}${problem}`));
  });
  const areas = read.filter((rings): rings is Position[][] => rings !== undefined).map(areaOf);
  if (areas.length === polygons.length) for (const overlap of partOverlapsOf(areas)) report(overlap);
  return areas;
}

function readEngines(given: Record<string, unknown>, report: (problem: string) => void): RegionEngines {
  const engines: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    if (key === "name" || key === "default") continue;
    const kind = Object.hasOwn(ENGINE_PROPERTIES, key)
      ? ENGINE_PROPERTIES[key as keyof RegionEngines]
      : undefined;
    if (!kind) {
      report(`unknown property ${JSON.stringify(key)}; known: name, default, ${KNOWN}`);
      continue;
    }
    const values = kind.list ? listOf(value) : [value];
    const bad = values.findIndex((one) => typeof one !== "string" || !kind.accept(one));
    const which = kind.list && bad >= 0 ? `: the one at ${bad} is none` : "";
    if (values.length === 0 || bad >= 0) report(`${key} must be ${kind.words}${which}`);
    else engines[key] = value;
  }
  return engines;
}

const KNOWN = Object.keys(ENGINE_PROPERTIES).join(", ");

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
