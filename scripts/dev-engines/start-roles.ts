import { existsSync } from "node:fs";
import { join } from "node:path";
import { jwksPathOf, makeKeyFiles } from "../../internal/auth/keys.ts";
import { migrate } from "../../internal/cassandra/migrate.ts";
import { readEnvironment } from "../../internal/config/environment.ts";
import { type CommandProcess, startCommand } from "./command-process.ts";
import type { DevEngines } from "./start-dev-engines.ts";

export type RolesOptions = {
  /** Of keys and spools; kept between runs. */
  folder: string;
  print: (line: string) => void;
  /** Demo cars; 0 for none. */
  cars: number;
  /** Ports to take instead of the usual ones: 0 for free ones. */
  flags?: readonly string[];
};

/** The address of the pages, once all runs. */
export type Roles = AsyncDisposable & { readonly url: string };

/**
 * Starts a processor, a gateway, an edge and the demo's fleet as processes of their own on the engines, with the schema
 * brought up to date and keys made when there are none. Disposing drains them in reverse order.
 */
export async function startRoles(engines: DevEngines, options: RolesOptions): Promise<Roles> {
  const { folder, print, cars, flags = [] } = options;
  const keys = join(folder, "keys");
  if (!existsSync(jwksPathOf(keys))) await makeKeyFiles(keys);
  const { cassandra } = engines;
  await migrate(
    { contactPoints: [cassandra], localDataCenter: engines.localDataCenter, keyspace: "bimride" },
    { replication: 1, print },
  );
  await using stack = new AsyncDisposableStack();
  const start = async (command: string, args: readonly string[], more: Record<string, string> = {}) => {
    const env = {
      ...readEnvironment(),
      ...engines.environment,
      BIMRIDE_AUTH_KEY_FOLDER: keys,
      BIMRIDE_DATA_DIR: join(folder, command),
      BIMRIDE_TELEMETRY_LEVEL: "warn",
      ...more,
    };
    return stack.use(await startCommand(command, args, env));
  };
  const told = (name: string, { printed }: CommandProcess) => {
    for (const port of ["grpc", "http"] as const)
      if (printed.has(port)) print(`${name.padEnd(10)}${port.padEnd(5)}${printed.get(port)}`);
  };
  const processor = await start("processor", ["--http-port", "0"]);
  told("processor", processor);
  const gateway = await start("gateway", ["--http-port", "0", ...flags]);
  told("gateway", gateway);
  // The pages of the demo get their tokens from the edge.
  const edge = await start("edge", flags, { BIMRIDE_DEMO_ENABLED: "true" });
  told("edge", edge);
  const [http, grpc] = [edge.printed.get("http")!, gateway.printed.get("grpc")!];
  if (cars > 0)
    await start("simulate", ["--cars", String(cars), "--http", http, "--grpc", grpc, "--keys", keys]);
  const owned = stack.move();
  return { url: http, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
