import type { Polygon } from "geojson";
import type { Rect } from "../core/geo.ts";

/** Addresses of engines that a region has for itself; what is not given is as in the settings. Never a secret. */
export type RegionEngines = {
  /** `host:port`. */
  natsServers?: readonly string[];
  /** `host:port`. */
  redisNodes?: readonly string[];
  /** `host:port`. */
  cassandraContactPoints?: readonly string[];
  cassandraLocalDc?: string;
  cassandraKeyspace?: string;
};

/** What the settings say where a region doesn't. */
export type EngineDefaults = Readonly<
  Required<Pick<RegionEngines, "cassandraLocalDc" | "cassandraKeyspace">>
>;

/** One polygon of a region: straight lines between longitudes and latitudes, as GeoJSON has it. */
export type RegionArea = { readonly polygon: Polygon; readonly bounds: Rect };

export type Region = {
  /** 1 to 16 of a-z 0-9: part of subjects and trip ids. */
  readonly name: string;
  /** Empty for the one region of a deployment without a region file: it is everywhere. */
  readonly areas: readonly RegionArea[];
  readonly engines: RegionEngines;
};

/** The regions of a deployment, in the order of the file: at a common border the first one counts. */
export type Regions = {
  readonly all: readonly Region[];
  /** Name of the region for places out of every region's reach. */
  readonly defaultName: string;
};

/** The regions of a deployment without a region file: one, and everything is in it. */
export function singleRegion(name: string): Regions {
  return { all: [{ name, areas: [], engines: {} }], defaultName: name };
}
