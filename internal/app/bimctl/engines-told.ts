import type { Settings } from "../../config/settings.ts";
import { NAME_REAL_ENGINES } from "../region-engines.ts";

/** Says which engines a command works on when nobody named them or their folder: they may not be the ones meant. */
export function tellEngines({ engines, dataDir, given }: Settings, complain: (line: string) => void): void {
  if (engines !== "embedded" || given.has("engines") || given.has("dataDir")) return;
  complain(`working on the embedded engines in ${dataDir}; ${NAME_REAL_ENGINES}`);
}
