import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { limitsOf, type Settings } from "../config/settings.ts";
import { EngineError } from "../core/engine-error.ts";
import type { Limits } from "../core/limits.ts";
import { type Clock, systemClock } from "../core/time.ts";
import type { EventLog } from "../eventlog/log.ts";
import { projectionMetrics } from "../projections/metrics.ts";
import { regionFinder } from "../regions/region-of.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { TripAnnouncer } from "../trips/announcer.ts";
import { TripService } from "../trips/service.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import { openDoor } from "./door.ts";
import { startGateway } from "./gateway-role.ts";
import { type Keys, openKeys } from "./keys.ts";
import { enterLan, type Lan, lanCertificates } from "./lan.ts";
import type { Interfaces } from "./lan-addresses.ts";
import { inviteDevices } from "./lan-invitation.ts";
import { type App, type Parts, secureRandom } from "./parts.ts";
import { announceNode } from "./placement.ts";
import { checkPort, choosePort } from "./ports.ts";
import { type Processor, startProcessor } from "./processor-role.ts";
import { readRegions } from "./read-regions.ts";
import { dataFolderOf, enginesOver, openNodes, openRegions, ownRegion } from "./region-parts.ts";
import { ALL_ROLES, type Role } from "./roles.ts";
import { openCertificate, openCertificateOf } from "./tls.ts";
import { startWeb } from "./web.ts";

export type { App } from "./parts.ts";

export type AppOptions = {
  telemetry: Telemetry;
  /** What the process is; everything by default. */
  roles?: ReadonlySet<Role>;
  /** Time of the fixes; the machine's by default. */
  clock?: Clock;
  /** Told what a person at the terminal should know. */
  print?(line: string): void;
  /** True when what is printed may have colours. */
  colours?: boolean;
  /** Networks that the machine is in; what the system says by default. */
  interfaces?: Interfaces;
  /** Bounds to override, for tools that let time run faster than it does. */
  limits?: Partial<Limits>;
  /** Make signing keys in the data folder when none are configured, as demo mode does. */
  ownKeys?: boolean;
};

const TOKEN_TTL_MS = 48 * 3_600_000;
const POLL_MS = 20;

/**
 * Builds and starts everything; disposing ends it in reverse order: no new work first, the stores last.
 * Rejects with an EngineError when the engines can't be used, or are none for these roles.
 */
export async function startApp(chosen: Settings, options: AppOptions): Promise<App> {
  const { telemetry, clock = systemClock, print = () => {}, colours = false, roles = ALL_ROLES } = options;
  refuseEmbeddedAlone(chosen, roles);
  const { settings, lan } = enterLan(chosen, roles, options.interfaces);
  await using stack = new AsyncDisposableStack();
  const tls = await openCertificate(settings, telemetry);
  if (tls) stack.use(tls);
  const { httpPort, httpHost, grpcPort, grpcHost, mqttPort, mqttHost, given } = settings;
  await checkPort(httpPort, httpHost, given.has("httpPort"), "http.port");
  if (lan && !tls) await checkPort(settings.lanCaPort, httpHost, given.has("lanCaPort"), "lan.ca_port");
  if (roles.has("gateway")) {
    await checkPort(grpcPort, grpcHost, given.has("grpcPort"), "grpc.port");
    await checkPort(mqttPort, mqttHost, given.has("mqttPort"), "mqtt.port");
  }
  const parts = await openParts(stack, settings, { ...options, clock, roles, tls, lan });

  // Before anybody gives us partitions: a start that can't listen must not move any.
  const port = await choosePort(httpPort, httpHost, given.has("httpPort"), "http.port", print);

  const processors: Processor[] = [];
  if (roles.has("processor")) {
    const metrics = projectionMetrics(telemetry.registry);
    for (const region of parts.byRegion.values())
      processors.push(stack.use(await startProcessor(parts, region, metrics)));
    // Nobody may see a state older than one that was shown before a crash: first the replay, then the doors.
    for (const processor of processors) await processor.liveCaughtUp();
  }
  const gateway = roles.has("gateway")
    ? stack.use(
        await startGateway(parts, {
          grpc: await choosePort(grpcPort, grpcHost, given.has("grpcPort"), "grpc.port", print),
          mqtt: await choosePort(mqttPort, mqttHost, given.has("mqttPort"), "mqtt.port", print),
        }),
      )
    : undefined;
  const web = stack.use(await startWeb(parts, roles, port, gateway, processors));
  const grpcAddress = gateway?.address ?? "";
  stack.use(await announceNode(parts, roles, web.publicUrls[0] ?? web.url, grpcAddress));
  let isOver = false;
  const app: Omit<App, typeof Symbol.asyncDispose> = {
    httpUrl: web.url,
    grpcAddress,
    mqttAddress: gateway?.mqttAddress ?? "",
    invitation: parts.lan ? await inviteDevices(stack, parts, web.publicUrls, { print, colours }) : [],
    engines: parts.engines,
    logs: logsOf(parts.byRegion),
    async mint(role, subject) {
      if (!parts.mint) throw new Error("this process does not sign tokens: the key set comes from elsewhere");
      return (await parts.mint({ role, subject, ttlMs: TOKEN_TTL_MS })).token;
    },
    async ready() {
      while (!isOver && !(await web.isReady())) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    },
    async liveCaughtUp() {
      for (const processor of processors) await processor.liveCaughtUp();
    },
    get partitionsAtHand() {
      return processors.reduce((sum, processor) => sum + processor.partitionsAtHand, 0);
    },
  };
  if (settings.demoEnabled && roles === ALL_ROLES) {
    const { startDemo } = await import("./demo.ts");
    stack.use(await startDemo(app, parts));
  }
  const owned = stack.move();
  return Object.assign(app, {
    [Symbol.asyncDispose]() {
      isOver = true;
      return owned.disposeAsync();
    },
  });
}

/** Embedded engines are in one process: a role alone would share them with nobody. */
function refuseEmbeddedAlone({ engines }: Settings, roles: ReadonlySet<Role>): void {
  if (engines === "embedded" && roles.size < ALL_ROLES.size)
    throw new EngineError(
      "engines",
      `embedded ones serve one process that is everything (npm start); ${[...roles].join(" and ")} alone needs BIMRIDE_ENGINES=real`,
    );
}

type Chosen = AppOptions & {
  clock: Clock;
  roles: ReadonlySet<Role>;
  tls: Parts["tls"];
  lan: Lan | undefined;
};

/** Opens what the roles share. */
async function openParts(stack: AsyncDisposableStack, settings: Settings, options: Chosen): Promise<Parts> {
  const { telemetry, clock, roles } = options;
  const limits = { ...limitsOf(settings), ...options.limits };
  const regions = await readRegions(settings);
  const own = ownRegion(settings, regions);
  const nodeId = `${hostname()}-${process.pid}-${randomBytes(3).toString("hex")}`;
  const folder =
    settings.engines === "embedded" || roles.has("gateway")
      ? stack.use(openDataFolder(dataFolderOf(settings, roles), settings.dataFresh))
      : undefined;
  const letsIn = roles.has("gateway") || roles.has("edge");
  const keys = letsIn
    ? await openKeys(settings, folder, clock, options.ownKeys ?? settings.demoEnabled)
    : undefined;
  const byRegion = await openRegions(stack, regions, own, {
    ...{ settings, limits, clock, telemetry, roles, nodeId, folder },
  });
  const engines = enginesOver(byRegion, own);
  const nodes = letsIn ? await openNodes(stack, byRegion) : new Map();
  const shared = { settings, limits, clock, telemetry, nodeId, byRegion, nodes, engines };
  const door = keys && (await openDoor(stack, keys.source, shared));
  const regionOf = regionFinder(regions, limits);
  const { bus, trips } = engines;
  const logger = telemetry.logger.child({ part: "trips" });
  const announcer = stack.use(new TripAnnouncer({ trips, logs: logsOf(byRegion), bus, clock, logger }));
  return {
    ...{ ...shared, regions, regionOf },
    trips: new TripService({
      ...{ trips, announcer, clock, limits },
      // Of no process in particular: wherever a trip is ordered, and however often, it is of the same region.
      regionOf: ({ latDeg, lonDeg }) => regionOf(latDeg, lonDeg, ""),
      randomBytes: secureRandom,
    }),
    door,
    mint: keys?.mint,
    ...(await openLan(stack, options, folder, keys)),
  };
}

/** What devices of the network need: a certificate, where the settings name none, and a code, where tokens are made here. */
async function openLan(
  stack: AsyncDisposableStack,
  { tls, lan, telemetry }: Chosen,
  folder: DataFolder | undefined,
  keys: Keys | undefined,
): Promise<Pick<Parts, "tls" | "lan">> {
  if (!lan || !folder) return { tls, lan: undefined };
  const joinCode = keys?.mint && lan.joinCode;
  if (tls) return { tls, lan: { ...lan, joinCode, certificates: undefined } };
  const certificates = await lanCertificates(folder, lan);
  const made = stack.use(await openCertificateOf(certificates, telemetry));
  return { tls: made, lan: { ...lan, joinCode, certificates } };
}

function logsOf(byRegion: Parts["byRegion"]): ReadonlyMap<string, EventLog> {
  return new Map([...byRegion].map(([name, { engines }]) => [name, engines.log]));
}
