import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { limitsOf, type Settings } from "../config/settings.ts";
import { EngineError } from "../core/engine-error.ts";
import type { Clock } from "../core/time.ts";
import type { Region } from "../regions/regions.ts";
import { type DataFolder, DataFolderHeldError, openDataFolder } from "./data-folder.ts";
import { EMBEDDED_LOG_FILE, type EngineContext } from "./engines.ts";
import { linksOf } from "./links.ts";

/** How a tool is told to work on others than the embedded engines, in words. */
export const NAME_REAL_ENGINES = "real ones are named with --engines real or BIMRIDE_ENGINES=real";

/**
 * What a tool needs to open some engines of one region, and only those: nothing joins the processors, nothing is served.
 * With embedded engines it holds the data folder, so the service must not run: throws a DataFolderHeldError then, and an
 * EngineError where there is no log of the region; nothing is made.
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
  const within = regions === 1 ? [] : ["regions", region.name];
  const folder = embedded
    ? stack.use(folderWithLog(settings.dataDir, join(...within, EMBEDDED_LOG_FILE)))
    : undefined;
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
  const logger = pino({ level: "silent" });
  return {
    ...{ settings, limits: limitsOf(settings), clock, nodeId, share },
    region: region.name,
    path: (...parts) => kept(...within, ...parts),
    sharedPath: kept,
    links: linksOf(region.engines, { settings, nodeId, clock, share, logger }),
    logger,
    // A tool says nothing on the bus.
    busEvents: { dropped: () => {} },
  };
}

/** @param log path of the log's file within the folder */
function folderWithLog(folder: string, log: string): DataFolder {
  const refuse = (what: string) =>
    new EngineError("data.dir", `${what} of embedded engines; ${NAME_REAL_ENGINES}`);
  if (!existsSync(folder)) throw refuse(`there is no data folder ${folder}`);
  if (!existsSync(join(folder, log))) throw refuse(`${folder} holds no log (${log})`);
  try {
    return openDataFolder(folder, false);
  } catch (error) {
    if (!(error instanceof DataFolderHeldError)) throw error;
    const words = "beside a running system this works with real engines only (--engines real)";
    throw new DataFolderHeldError(`${error.message}; ${words}`, { cause: error });
  }
}
