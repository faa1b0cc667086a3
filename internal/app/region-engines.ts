import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { pino } from "pino";
import { limitsOf, type Settings } from "../config/settings.ts";
import type { Clock } from "../core/time.ts";
import type { Region } from "../regions/regions.ts";
import { DataFolderHeldError, openDataFolder } from "./data-folder.ts";
import type { EngineContext } from "./engines.ts";
import { linksOf } from "./links.ts";

/**
 * What a tool needs to open some engines of one region, and only those: nothing joins the processors, nothing is served.
 * With embedded engines it holds the data folder, so the service must not run; rejects with a DataFolderHeldError then.
 * @param regions how many the deployment has
 */
export function openRegionContext(
  stack: AsyncDisposableStack,
  settings: Settings,
  region: Region,
  regions: number,
  clock: Clock,
): EngineContext {
  const embedded = settings.engines === "embedded";
  const folder = embedded ? stack.use(existingFolder(settings.dataDir)) : undefined;
  const kept = (...parts: string[]) => {
    if (!folder) throw new Error("a tool keeps nothing");
    return folder.path(...parts);
  };
  const opened = new Map<string, Promise<AsyncDisposable>>();
  const share: EngineContext["share"] = <Thing extends AsyncDisposable>(
    key: string,
    open: () => Promise<Thing>,
  ) => {
    const opening = opened.get(key) ?? open().then((thing) => stack.use(thing));
    opened.set(key, opening);
    return opening as Promise<Thing>;
  };
  const nodeId = `${hostname()}-${process.pid}-tool`;
  return {
    ...{ settings, limits: limitsOf(settings), clock, nodeId, share },
    region: region.name,
    path: regions === 1 ? kept : (...parts) => kept("regions", region.name, ...parts),
    sharedPath: kept,
    links: linksOf(settings, region.engines, nodeId, clock, share),
    logger: pino({ level: "silent" }),
  };
}

function existingFolder(path: string) {
  if (!existsSync(path)) throw new DataFolderHeldError(`there is no data folder ${path}`);
  try {
    return openDataFolder(path, false);
  } catch (error) {
    if (!(error instanceof DataFolderHeldError)) throw error;
    const words = "beside a running system this works with real engines only (--engines real)";
    throw new DataFolderHeldError(`${error.message}; ${words}`, { cause: error });
  }
}
