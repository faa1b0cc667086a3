import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { type App, startApp } from "../../internal/app/app.ts";
import type { Role } from "../../internal/app/roles.ts";
import { makeKeyFiles } from "../../internal/auth/keys.ts";
import { migrate } from "../../internal/cassandra/migrate.ts";
import { loadSettings } from "../../internal/config/settings.ts";
import type { VirtualClock } from "../../internal/core/virtual-clock.ts";
import type { EventLog } from "../../internal/eventlog/log.ts";
import type { Latest } from "../../internal/latest/latest.ts";
import { createTelemetry } from "../../internal/telemetry/create-telemetry.ts";
import { CASSANDRA_DATA_CENTER } from "./engines/cassandra.ts";
import { sharedEngines } from "./engines/shared.ts";
import { type TempFolder, tempFolder } from "./temp-folder.ts";

/** The service as a test sees it, whatever processes it is cut into; all of them in this one, on one clock. */
export type Deployment = AsyncDisposable &
  Pick<App, "httpUrl" | "grpcAddress" | "mint"> & {
    readonly latest: Latest;
    readonly logs: ReadonlyMap<string, EventLog>;
  };

/** Somewhere to open a deployment, again and again on the same data. */
export type Place = AsyncDisposable & { open(clock: VirtualClock): Promise<Deployment> };

/** Everything in one process on embedded engines. @property regions 1 or 2: then all happens in the second one */
export async function embeddedPlace({ regions }: { regions: number }): Promise<Place> {
  const folder = await tempFolder();
  const names = regionNames();
  const more = regions === 1 ? {} : await twoRegions(folder, names, {});
  return {
    async open(clock) {
      const settings = loadSettings(more, ["--data", folder.path, ...FREE_PORTS]);
      const telemetry = createTelemetry({ role: "story", level: "error", processMetrics: false });
      const app = await startApp(settings, { clock, telemetry, ownKeys: true });
      return deploymentOf([app], app, app);
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/**
 * Roles that know of each other through the real engines only: a gateway, an edge, and processors, so many per region.
 * The engines are the shared ones; what is written there has names of its own.
 */
export async function realPlace({
  regions,
  processors,
}: {
  regions: number;
  processors: number;
}): Promise<Place> {
  const folder = await tempFolder();
  await makeKeyFiles(folder.file("keys"));
  const engines = sharedEngines();
  const names = regionNames();
  const keyspaces = names.map((name) => `story_${name}`);
  const contactPoints = [engines.cassandra];
  for (const keyspace of keyspaces.slice(0, regions)) {
    const options = { contactPoints, localDataCenter: CASSANDRA_DATA_CENTER, keyspace };
    await migrate(options, { replication: 1, print: () => undefined });
  }
  const env: Record<string, string> = {
    BIMRIDE_ENGINES: "real",
    BIMRIDE_NATS_SERVERS: engines.nats,
    BIMRIDE_REDIS_NODES: engines.redis,
    BIMRIDE_CASSANDRA_CONTACT_POINTS: engines.cassandra,
    BIMRIDE_CASSANDRA_LOCAL_DC: CASSANDRA_DATA_CENTER,
    BIMRIDE_CASSANDRA_KEYSPACE: keyspaces[0]!,
    BIMRIDE_AUTH_KEY_FOLDER: folder.file("keys"),
    BIMRIDE_LOG_MAX_BYTES: String(64 << 20),
    BIMRIDE_REGION: names[0]!,
  };
  if (regions === 2)
    Object.assign(env, await twoRegions(folder, names, { cassandraKeyspace: keyspaces[1]! }));
  return {
    async open(clock) {
      const apps: App[] = [];
      const start = async (role: Role, name: string, more: Record<string, string> = {}) => {
        const flags = ["--data", folder.file(name), ...FREE_PORTS];
        const telemetry = createTelemetry({ role, level: "error", processMetrics: false });
        const app = await startApp(loadSettings({ ...env, ...more }, flags), {
          ...{ clock, telemetry },
          roles: new Set([role]),
        });
        apps.push(app);
        return app;
      };
      for (const region of names.slice(0, regions))
        for (let n = 0; n < processors; n++)
          await start("processor", `processor-${region}-${n}`, { BIMRIDE_REGION: region });
      const gateway = await start("gateway", "gateway");
      const edge = await start("edge", "edge");
      return deploymentOf(apps, gateway, edge);
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

const FREE_PORTS = ["--http-port", "0", "--grpc-port", "0", "--mqtt-port", "0", "--no-demo"] as const;

function deploymentOf(apps: readonly App[], gateway: App, edge: App): Deployment {
  const { httpUrl, logs } = edge;
  return {
    ...{ httpUrl, logs, grpcAddress: gateway.grpcAddress, latest: edge.engines.latest },
    mint: (role, subject) => edge.mint(role, subject),
    async [Symbol.asyncDispose]() {
      for (const app of apps.toReversed()) await app[Symbol.asyncDispose]();
    },
  };
}

/** Names of two regions that no other test uses. */
function regionNames(): [string, string] {
  const unique = randomBytes(4).toString("hex");
  return [`a${unique}`, `b${unique}`];
}

/** Settings of two regions: the default one, where nothing happens, and one around the places of the drives. */
async function twoRegions(
  folder: TempFolder,
  [elsewhere, here]: readonly [string, string],
  engines: object,
): Promise<Record<string, string>> {
  const ring = (west: number, south: number, east: number, north: number) => [
    [west, south],
    [east, south],
    [east, north],
    [west, north],
    [west, south],
  ];
  const feature = (name: string, coordinates: unknown, more: object) => ({
    type: "Feature",
    properties: { name, ...more },
    geometry: { type: "MultiPolygon", coordinates },
  });
  const features = [
    feature(elsewhere, [[ring(150, -35, 152, -33)]], { default: true }),
    feature(here, [[ring(10, 56, 14, 59)], [ring(-124, 36, -120, 39)]], engines),
  ];
  await writeFile(folder.file("regions.geojson"), JSON.stringify({ type: "FeatureCollection", features }));
  return { BIMRIDE_REGIONS_FILE: folder.file("regions.geojson"), BIMRIDE_REGION: elsewhere };
}
