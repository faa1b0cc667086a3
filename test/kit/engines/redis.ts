import type { Engine, StartOptions } from "./engine.ts";
import { exchange } from "./exchange.ts";
import { findProgram } from "./find-program.ts";
import { freePort } from "./free-port.ts";
import { imageOf } from "./image-of.ts";
import { startContainer } from "./server-container.ts";
import { startServer, workFolder } from "./server-process.ts";
import { engineOf, listening, startEngine } from "./start-engine.ts";

export type RedisOptions = StartOptions & {
  /** More arguments of redis-server, like `["--requirepass", "secret"]`. */
  args?: readonly string[];
};

/** In a sentence. */
export const REDIS_HOW_TO_GET = "Install redis-server 7.0 or newer (Debian: apt install redis-server).";
const INNER_PORT = 6379;
const HOST = "127.0.0.1";
const START_TIMEOUT_MS = 20_000;

/** Every write is with the kernel before it is answered, so that it survives kill -9. */
const DURABILITY = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""];

/**
 * Starts a Redis server that keeps its data over a kill.
 * @throws EngineMissing when there is no way to one on this machine
 */
export async function startRedis(options: RedisOptions = {}): Promise<Engine> {
  const program = findProgram("redis-server");
  return startEngine({
    name: "redis",
    howToGet: REDIS_HOW_TO_GET,
    native: program === undefined ? undefined : () => startNative(program, options),
    container:
      options.folder === undefined
        ? () =>
            startContainer({
              image: imageOf("redis"),
              innerPort: INNER_PORT,
              port: options.port,
              command: ["redis-server", ...DURABILITY, ...(options.args ?? [])],
              probe: probeRedis,
              startTimeoutMs: START_TIMEOUT_MS,
            })
        : undefined,
  });
}

/** One native server as an engine, for a cluster's nodes. */
export async function startRedisNode(program: string, options: RedisOptions): Promise<Engine> {
  return engineOf("redis", "native", await startNative(program, options));
}

async function startNative(program: string, options: RedisOptions) {
  const folder = await workFolder("redis", options.folder);
  const port = options.port ?? (await freePort());
  const place = ["--bind", HOST, "--port", String(port), "--dir", folder.path];
  const server = await startServer({
    name: "redis-server",
    command: program,
    args: [...place, ...DURABILITY, ...(options.args ?? [])],
    host: HOST,
    port,
    folder,
    probe: probeRedis,
    startTimeoutMs: START_TIMEOUT_MS,
  });
  return listening(server, HOST, port);
}

/** Asks for the version; a server that still loads its data does not count, one that asks for a password does. */
export async function probeRedis(host: string, port: number): Promise<string> {
  const answer = await exchange({ host, port }, "PING\r\nINFO server\r\n", (received) => {
    const text = received.toString("utf8");
    return /^-|redis_version:\S+\r\n/m.test(text) ? text : undefined;
  });
  if (answer.startsWith("-NOAUTH")) return "unknown (it asks for a password)";
  if (!answer.startsWith("+PONG")) throw new Error(answer.split("\r\n")[0]);
  return /redis_version:(\S+)/.exec(answer)?.[1] ?? "unknown";
}
