import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Makes the folder and those above it that are missing, for their owner alone. Unlike Node's own recursive way it ends
 * also where the system lets nothing be made, as in /proc.
 * @returns the topmost that was missing, if one was
 * @throws the system's error (ENOTDIR for a file that is there instead)
 */
export function makeFolder(folder: string): string | undefined {
  const missing: string[] = [];
  for (let each = resolve(folder); !existsSync(each); each = dirname(each)) missing.unshift(each);
  for (const each of missing) {
    try {
      mkdirSync(each, { mode: 0o700 });
    } catch (error) {
      // Somebody else may have made it meanwhile.
      if (!existsSync(each)) throw error;
    }
  }
  if (!statSync(folder).isDirectory())
    throw Object.assign(new Error(`${folder} is no folder`), { code: "ENOTDIR" });
  return missing[0];
}
