import { readFile } from "node:fs/promises";
import type { Settings } from "../config/settings.ts";
import { EngineError } from "../core/engine-error.ts";
import { parseRegions } from "../regions/region-file.ts";
import { type Regions, singleRegion } from "../regions/regions.ts";

/** The regions of the deployment. Rejects with an EngineError or a RegionFileError that names all problems. */
export async function readRegions(settings: Settings): Promise<Regions> {
  const { region, regionsFile } = settings;
  if (regionsFile === "") return singleRegion(region);
  const regions = parseRegions(await text(regionsFile), settings);
  const names = regions.all.map(({ name }) => name);
  if (settings.given.has("region") && !names.includes(region))
    throw new EngineError(
      "region",
      `${region} is none of the regions of ${regionsFile}: ${names.join(", ")}`,
    );
  return regions;
}

async function text(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new EngineError("regions.file", `${path} can't be read`, { cause });
  }
}
