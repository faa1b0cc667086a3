import { readFeature } from "./feature.ts";
import { splitKeyspaces } from "./keyspaces.ts";
import { overlapsOf } from "./overlap.ts";
import type { EngineDefaults, Region, Regions } from "./regions.ts";

/** More than any deployment of this kind has; keeps a wrong file from becoming a long wait. */
const MAX_REGIONS = 100;
const MAX_POINTS = 10_000;

/** A region file that can't be used; `problems` names everything that is wrong with it, a line each. */
export class RegionFileError extends Error {
  override readonly name = "RegionFileError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/**
 * Reads a region file: a GeoJSON FeatureCollection (WGS 84) of Polygons and MultiPolygons that don't overlap, each with
 * the property `name`, one of them with `default: true`, and optionally with addresses of engines of its own
 * ({@link RegionEngines}). Throws a RegionFileError with all problems at once.
 * @param defaults what holds for regions that don't say
 */
export function parseRegions(text: string, defaults: EngineDefaults): Regions {
  const features = featuresOf(text);
  const problems: string[] = [];
  const found = features.map((feature, index) => readFeature(feature, index, problems));
  const readable = found.filter((feature) => feature !== undefined);
  const all = readable.map(({ region }) => region);
  problems.push(...doubledNames(all));
  const isDefault = readable.filter((feature) => feature.isDefault).map(({ region }) => region.name);
  if (readable.length === features.length) problems.push(...defaultProblems(isDefault));
  if (problems.length === 0) problems.push(...overlapsOf(all), ...splitKeyspaces(all, defaults));
  if (problems.length > 0) throw new RegionFileError(problems);
  return { all, defaultName: isDefault[0]! };
}

function featuresOf(text: string): unknown[] {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (error) {
    // The message may quote the file over several lines; a problem is one.
    const why = (error as Error).message.replace(/\s+/g, " ");
    throw new RegionFileError([`not JSON: ${why}`]);
  }
  const { type, features, crs } = (file ?? {}) as Record<string, unknown>;
  if (type !== "FeatureCollection" || !Array.isArray(features))
    throw new RegionFileError(["must be a GeoJSON FeatureCollection"]);
  if (crs !== undefined) throw new RegionFileError(["crs: coordinates must be WGS 84, which needs no crs"]);
  if (features.length === 0) throw new RegionFileError(["has no features: a deployment needs a region"]);
  const problems = tooMany(features);
  if (problems.length > 0) throw new RegionFileError(problems);
  return features;
}

function doubledNames(all: readonly Region[]): string[] {
  const names = all.map(({ name }) => name);
  return [...new Set(names.filter((name, i) => name !== "" && names.indexOf(name) !== i))].map(
    (name) => `${JSON.stringify(name)}: several regions have this name`,
  );
}

function defaultProblems(names: readonly string[]): string[] {
  if (names.length === 1) return [];
  const what = names.length === 0 ? "no region has" : `${names.join(", ")} have`;
  return [`default: ${what} "default": true, and exactly one must`];
}

/** Before anything is compared with anything, which takes time with the square of what there is. */
function tooMany(features: readonly unknown[]): string[] {
  const points = features.reduce((sum: number, feature) => sum + positionsOf(feature), 0);
  const problems: string[] = [];
  if (features.length > MAX_REGIONS) problems.push(`${features.length} regions; at most ${MAX_REGIONS}`);
  if (points > MAX_POINTS)
    problems.push(`${points} points in all; at most ${MAX_POINTS}: simplify the polygons`);
  return problems;
}

function positionsOf(feature: unknown): number {
  const { geometry } = (feature ?? {}) as { geometry?: { type?: unknown; coordinates?: unknown } };
  const { type, coordinates } = geometry ?? {};
  return Array.isArray(coordinates) ? coordinates.flat(type === "MultiPolygon" ? 2 : 1).length : 0;
}
