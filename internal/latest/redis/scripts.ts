import { readFile } from "node:fs/promises";
import type { RedisLink, RedisScript } from "../../redis/link.ts";

/** The Lua scripts beside this file, made callable. What they take and return stands at their top. */
export type Scripts = {
  updateParties: RedisScript;
  updateTrips: RedisScript;
  intactSince: RedisScript;
  nearest: RedisScript;
  readCells: RedisScript;
  sweep: RedisScript;
};

export async function loadScripts(link: RedisLink): Promise<Scripts> {
  const load = async (name: string) =>
    link.script(`latest-${name}`, await readFile(new URL(`${name}.lua`, import.meta.url), "utf8"));
  return {
    updateParties: await load("update-parties"),
    updateTrips: await load("update-trips"),
    intactSince: await load("intact-since"),
    nearest: await load("nearest"),
    readCells: await load("read-cells"),
    sweep: await load("sweep"),
  };
}
