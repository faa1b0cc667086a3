import { parseRegions, RegionFileError } from "./region-file.ts";
import type { EngineDefaults } from "./regions.ts";

/** What there is to say of a region file: nothing but problems, or nothing but a summary, a line each. */
export type RegionCheck = { problems: readonly string[]; summary: readonly string[] };

/**
 * Looks at a region file as a start would, and sums it up when it can be used.
 * @param defaults what holds for regions that don't say
 */
export function checkRegions(text: string, defaults: EngineDefaults): RegionCheck {
  try {
    const { all, defaultName } = parseRegions(text, defaults);
    const summary = all.map(({ name, areas, engines }) => {
      const own = Object.keys(engines);
      const points = areas
        .flatMap(({ polygon }) => polygon.coordinates)
        .reduce((n, ring) => n + ring.length - 1, 0);
      const polygons = areas.length === 1 ? "1 polygon" : `${areas.length} polygons`;
      const words = [
        `${polygons} of ${points} points`,
        own.length > 0 ? `own ${own.join(", ")}` : "engines as set",
      ];
      return `${name}${name === defaultName ? " (default)" : ""}: ${words.join("; ")}`;
    });
    return { problems: [], summary };
  } catch (error) {
    if (error instanceof RegionFileError) return { problems: error.problems, summary: [] };
    throw error;
  }
}
