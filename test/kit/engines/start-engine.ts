import { type Engine, EngineMissing, type EngineName, type Probe } from "./engine.ts";
import { retryWhenTaken } from "./free-port.ts";
import { dockerAnswers } from "./server-container.ts";
import type { ServerProcess } from "./server-process.ts";

/** The ways to a server of one kind. */
export type EngineWays = {
  readonly name: EngineName;
  /** Starts a container; undefined where the request can't be met by one. */
  readonly container: (() => Promise<ServerProcess & { host: string; port: number }>) | undefined;
  /** Starts a native server; undefined when it is not on this machine. */
  readonly native: (() => Promise<ServerProcess & { host: string; port: number }>) | undefined;
  /** How to get the native one, in a sentence. */
  readonly howToGet: string;
};

/**
 * A server of our own: in a container where a Docker engine answers, else native.
 * @throws EngineMissing when there is neither
 */
export async function startEngine(ways: EngineWays): Promise<Engine> {
  if (ways.container !== undefined && (await dockerAnswers())) {
    return engineOf(ways.name, "container", await ways.container());
  }
  if (ways.native === undefined) {
    const noContainer = ways.container === undefined ? "it must be native here" : "no Docker engine answers";
    throw new EngineMissing(`no ${ways.name}: ${noContainer} and there is no native one. ${ways.howToGet}`);
  }
  return engineOf(ways.name, "native", await retryWhenTaken(ways.native));
}

/** The engine that a server is. */
export function engineOf(
  name: EngineName,
  how: "container" | "native",
  server: ServerProcess & { host: string; port: number },
): Engine {
  return {
    name,
    how,
    address: `${server.host}:${server.port}`,
    get version() {
      return server.version;
    },
    get pid() {
      return server.pid;
    },
    kill: (signal) => server.kill(signal),
    start: () => server.start(),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/**
 * A server that somebody else runs and that the environment names. It is neither stopped nor killed by us.
 * @param variable the environment's, in messages
 * @param address host:port
 * @throws when it does not answer
 */
export async function givenEngine(
  name: EngineName,
  variable: string,
  address: string,
  probe: Probe,
): Promise<Engine> {
  const { host, port } = hostAndPort(variable, address);
  const version = await probe(host, port).catch((cause: unknown) => {
    throw new Error(`${variable} names ${host}:${port}, and no ${name} answers there: ${String(cause)}`, {
      cause,
    });
  });
  const notOurs = () =>
    Promise.reject(new Error(`${name} at ${host}:${port} is not ours: ${variable} names it`));
  return {
    name,
    how: "environment",
    address: `${host}:${port}`,
    version,
    pid: undefined,
    kill: notOurs,
    start: notOurs,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function hostAndPort(variable: string, address: string): { host: string; port: number } {
  const first = address.split(",")[0]!.trim();
  const url = URL.parse(first.includes("://") ? first.replace(/^\w+:/, "tcp:") : `tcp://${first}`);
  if (url === null || url.port === "") throw new Error(`${variable} must be host:port, not ${address}`);
  return { host: url.hostname, port: Number(url.port) };
}

/** Adds where it listens to a server. */
export function listening<Server extends ServerProcess>(
  server: Server,
  host: string,
  port: number,
): Server & { host: string; port: number } {
  return Object.defineProperties(server, {
    host: { value: host },
    port: { value: port },
  }) as Server & { host: string; port: number };
}
