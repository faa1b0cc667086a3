import { existsSync } from "node:fs";
import { join } from "node:path";
import { type RoleProcess, startRole } from "../../bench/load/role-process.ts";
import { createFleet } from "../../demo/fleet.ts";
import { readRoadGraph } from "../../demo/road-graph.ts";
import { Simulation } from "../../demo/simulation.ts";
import type { Role } from "../../internal/app/roles.ts";
import { jwksPathOf, makeKeyFiles, openSigningKey } from "../../internal/auth/keys.ts";
import { tokenMint } from "../../internal/auth/mint.ts";
import { migrate } from "../../internal/cassandra/migrate.ts";
import { loadSettings } from "../../internal/config/settings.ts";
import { systemClock } from "../../internal/core/time.ts";
import { createTelemetry } from "../../internal/telemetry/create-telemetry.ts";
import { isFreePort } from "../../test/kit/engines/free-port.ts";
import type { DevEngines } from "./start-dev-engines.ts";

export type RolesOptions = {
  /** Of keys, spools and the roles' logs; kept between runs. */
  folder: string;
  print: (line: string) => void;
  /** Demo cars; 0 for none. */
  cars: number;
};

/** All roles, running. @property url of the pages */
export type Roles = AsyncDisposable & { readonly url: string };

/** Tried first, so that addresses in the documents fit. */
const USUAL_PORTS = { http: 8080, grpc: 50_051, mqtt: 1883 } as const;
const TOKEN_TTL_MS = 12 * 3_600_000;
const BUSY_SHARE = 0.6;

/**
 * Starts a processor, a gateway and an edge as processes of their own on the engines, and the demo's fleet in this one,
 * with the schema brought up to date and keys made when there are none. Disposing drains them in reverse order.
 */
export async function startRoles(engines: DevEngines, { folder, print, cars }: RolesOptions): Promise<Roles> {
  const keys = join(folder, "keys");
  if (!existsSync(jwksPathOf(keys))) await makeKeyFiles(keys);
  const { contactPoint, localDataCenter, settings } = engines;
  const { cassandraKeyspace: keyspace } = loadSettings({}, []);
  await migrate({ contactPoints: [contactPoint], localDataCenter, keyspace }, { replication: 1, print });

  await using stack = new AsyncDisposableStack();
  const start = async (role: Role, more: Record<string, string> = {}): Promise<RoleProcess> => {
    const process = stack.use(
      await startRole({
        role,
        name: role,
        settings: { ...settings, "auth.key_folder": keys, ...more },
        folder: join(folder, role),
        ports: {
          http: role === "edge" ? await usual("http") : undefined,
          grpc: role === "gateway" ? await usual("grpc") : undefined,
          mqtt: role === "gateway" ? await usual("mqtt") : undefined,
        },
      }),
    );
    print(
      `${role.padEnd(10)}${[process.httpUrl, process.grpcAddress, process.mqttAddress].join("  ").trimEnd()}`,
    );
    return process;
  };
  await start("processor");
  const gateway = await start("gateway");
  // The pages of the demo get their tokens from the edge.
  const edge = await start("edge", { "demo.enabled": "true" });
  if (cars > 0) await startFleet(stack, { gateway, edge, keys, cars });
  const owned = stack.move();
  return { url: edge.httpUrl, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function usual(name: keyof typeof USUAL_PORTS): Promise<number | undefined> {
  return (await isFreePort("127.0.0.1", USUAL_PORTS[name])) ? USUAL_PORTS[name] : undefined;
}

type FleetOptions = { gateway: RoleProcess; edge: RoleProcess; keys: string; cars: number };

async function startFleet(stack: AsyncDisposableStack, options: FleetOptions): Promise<void> {
  const { gateway, edge, keys, cars } = options;
  const { authIssuer, authAudience } = loadSettings({}, []);
  const mint = tokenMint(await openSigningKey(keys), authIssuer, authAudience, () => Date.now());
  const simulation = new Simulation({
    fleet: createFleet({ seed: 1, cars, graph: await readRoadGraph(), startMs: Date.now() }),
    grpcAddress: gateway.grpcAddress,
    httpUrl: edge.httpUrl,
    mint: async (role, subject) => (await mint({ role, subject, ttlMs: TOKEN_TTL_MS })).token,
    clock: systemClock,
    random: Math.random,
    logger: createTelemetry({ role: "demo", level: "warn", processMetrics: false }).logger,
    busyShare: BUSY_SHARE,
  });
  stack.use(simulation);
  await simulation.start();
}
