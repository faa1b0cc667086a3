import { readFile } from "node:fs/promises";
import type { Settings } from "../config/settings.ts";
import { EngineError } from "../core/engine-error.ts";
import { parseRegions, RegionFileError } from "../regions/region-file.ts";
import { type Regions, singleRegion } from "../regions/regions.ts";

/**
 * The regions of the deployment. Rejects with an EngineError, one line long, that names the setting, the file and the
 * first of its problems.
 */
export async function readRegions(settings: Settings): Promise<Regions> {
  const { region, regionsFile } = settings;
  if (regionsFile === "") return singleRegion(region);
  const regions = parse(await text(regionsFile), settings);
  const names = regions.all.map(({ name }) => name);
  if (settings.given.has("region") && !names.includes(region))
    throw new EngineError(
      "region",
      `${region} is none of the regions of ${regionsFile}: ${names.join(", ")}`,
    );
  return regions;
}

function parse(file: string, settings: Settings): Regions {
  try {
    return parseRegions(file, settings);
  } catch (cause) {
    if (!(cause instanceof RegionFileError)) throw cause;
    const [first, ...others] = cause.problems;
    const more =
      others.length === 0 ? "" : ` (and ${others.length} more: npm run -s bimctl -- regions check)`;
    throw new EngineError("regions.file", `${settings.regionsFile}: ${first}${more}`, { cause });
  }
}

async function text(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new EngineError("regions.file", `${path} can't be read: ${(cause as Error).message}`, { cause });
  }
}
