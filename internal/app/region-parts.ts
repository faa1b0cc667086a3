import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Settings } from "../config/settings.ts";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import { BusEvents } from "../live/bus-events.ts";
import type { Nodes } from "../placement/nodes.ts";
import type { Regions } from "../regions/regions.ts";
import { routedBus } from "../regions/routed/bus.ts";
import { routedHistory } from "../regions/routed/history.ts";
import { routedLatest } from "../regions/routed/latest.ts";
import { routedRevocations } from "../regions/routed/revocations.ts";
import { routedTrips } from "../regions/routed/trips.ts";
import type { Revocations } from "../sessions/revocations.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import {
  CHECKS,
  ENGINES,
  type EngineContext,
  type Engines,
  openEngines,
  openStores,
  type Stores,
} from "./engines.ts";
import { linksOf, type Share } from "./links.ts";
import type { RegionParts } from "./parts.ts";
import type { Role } from "./roles.ts";

/** Which of the regions is this process's own. */
export function ownRegion(settings: Settings, regions: Regions): string {
  return settings.regionsFile === "" || settings.given.has("region") ? settings.region : regions.defaultName;
}

export type RegionDeps = {
  settings: Settings;
  limits: Limits;
  clock: Clock;
  telemetry: Telemetry;
  roles: ReadonlySet<Role>;
  nodeId: string;
  /** Undefined for a process that keeps nothing. */
  folder: { path(...parts: string[]): string } | undefined;
};

/** Opens the engines of every region that the process works with: a processor alone works for its own only. */
export async function openRegions(
  stack: AsyncDisposableStack,
  regions: Regions,
  own: string,
  deps: RegionDeps,
): Promise<ReadonlyMap<string, RegionParts>> {
  const { settings, limits, clock, telemetry, roles, nodeId, folder } = deps;
  const share = sharing(stack);
  const everywhere = settings.engines === "embedded" || roles.has("gateway") || roles.has("edge");
  const opened = new Map<string, RegionParts>();
  const kept = (...parts: string[]) => {
    if (!folder) throw new Error("this process has no data folder");
    return folder.path(...parts);
  };
  const busEvents = new BusEvents(telemetry);
  const contexts = regions.all
    .filter(({ name }) => everywhere || name === own)
    .map(({ name, engines: addresses }): EngineContext => {
      const logger = telemetry.logger.child({ region: name });
      return {
        ...{ settings, limits, clock, nodeId, share, logger },
        region: name,
        path: regions.all.length === 1 ? kept : (...parts) => kept("regions", name, ...parts),
        sharedPath: kept,
        links: linksOf(addresses, { settings, nodeId, clock, share, logger }),
        busEvents: busEvents.of(name),
      };
    });
  if (settings.engines === "embedded")
    for (const { path } of contexts) await mkdir(path(), { recursive: true });
  // All that can be wrong first: where it is, nothing has been made anywhere.
  if (settings.engines === "real") await check(contexts, roles);
  const stores: Stores[] = [];
  for (const context of contexts) stores.push(await openStores(stack, context));
  for (const [i, context] of contexts.entries())
    opened.set(context.region, { context, engines: await openEngines(stack, context, stores[i]!) });
  return opened;
}

/** Rejects with an EngineError when a server can't be used, or holds what was made with other settings. */
async function check(contexts: readonly EngineContext[], roles: ReadonlySet<Role>): Promise<void> {
  for (const { links } of contexts) await links.open();
  const isProcessor = roles.has("processor");
  const letsIn = roles.has("gateway") || roles.has("edge");
  const checks = [
    CHECKS.log,
    ...(letsIn ? [CHECKS.nodes, CHECKS.revocations] : []),
    ...(isProcessor ? [CHECKS.snapshots, CHECKS.leases] : []),
  ];
  for (const context of contexts) for (const each of checks) await each(context);
}

/** Opens the registry of gateways and edges of every region; the stack closes them. */
export async function openNodes(
  stack: AsyncDisposableStack,
  byRegion: ReadonlyMap<string, RegionParts>,
): Promise<ReadonlyMap<string, Nodes>> {
  const opened = new Map<string, Nodes>();
  for (const [name, { context }] of byRegion)
    opened.set(name, stack.use(await ENGINES.nodes[context.settings.engines](context)));
  return opened;
}

/** Opens the revocations of every region, as one; the stack closes them. */
export async function openRevocations(
  stack: AsyncDisposableStack,
  byRegion: ReadonlyMap<string, RegionParts>,
  onRegionFailed: (error: unknown) => void,
): Promise<Revocations> {
  const opened = new Map<string, Revocations>();
  for (const [name, { context }] of byRegion)
    opened.set(name, stack.use(await ENGINES.revocations[context.settings.engines](context)));
  return routedRevocations(opened, { onRegionFailed });
}

/** The stores over all regions: a trip's by its id, a party's wherever they are. */
export function enginesOver(byRegion: ReadonlyMap<string, RegionParts>, own: string): Engines {
  const { engines } = byRegion.get(own)!;
  if (byRegion.size === 1) return engines;
  const each = <Port extends keyof Engines>(port: Port): ReadonlyMap<string, Engines[Port]> =>
    new Map([...byRegion].map(([name, parts]) => [name, parts.engines[port]]));
  return {
    log: engines.log,
    history: routedHistory(each("history")),
    trips: routedTrips(each("trips")),
    latest: routedLatest(each("latest"), byRegion.get(own)!.context.clock),
    bus: routedBus(each("bus")),
  };
}

/** Opens what several regions name alike once; the stack closes it after everything that came later. */
function sharing(stack: AsyncDisposableStack): Share {
  const opened = new Map<string, Promise<AsyncDisposable>>();
  return <Thing extends AsyncDisposable>(key: string, open: () => Promise<Thing>): Promise<Thing> => {
    const known = opened.get(key) as Promise<Thing> | undefined;
    if (known) return known;
    const opening = open().then((thing) => stack.use(thing));
    opened.set(key, opening);
    return opening;
  };
}

/** Where a role process keeps its things: a folder of its own beside the others' unless one was named. */
export function dataFolderOf(settings: Settings, roles: ReadonlySet<Role>): string {
  const [role] = roles;
  return roles.size === 1 && role && !settings.given.has("dataDir")
    ? join(settings.dataDir, role)
    : settings.dataDir;
}
