import type { Settings } from "../../config/settings.ts";
import type { Region } from "../../regions/regions.ts";
import { readRegions } from "../read-regions.ts";
import { UsageError } from "./command.ts";

/**
 * The region of the name; may be left out where there is one only.
 * @throws UsageError that lists the known ones
 */
export async function regionArgument(
  settings: Settings,
  name: string | undefined,
): Promise<{ region: Region; regions: number }> {
  const { all } = await readRegions(settings);
  const known = all.map((region) => region.name).join(", ");
  if (name === undefined && all.length > 1) throw new UsageError(`--region must be one of ${known}`);
  const region = name === undefined ? all[0] : all.find((one) => one.name === name);
  if (!region) throw new UsageError(`--region ${name} is not known; the regions are ${known}`);
  return { region, regions: all.length };
}
