import { EngineMissing } from "./engine.ts";
import { findProgram } from "./find-program.ts";
import { freePort, retryWhenTaken } from "./free-port.ts";
import { startServer, workFolder } from "./server-process.ts";

/**
 * What can be wrong with a link: `latency` {latency, jitter} in ms; `bandwidth` {rate} in KB/s; `timeout` {timeout} in
 * ms, 0 lets nothing through and never closes (a half-open link); `slow_close` {delay} in ms; `reset_peer` {timeout} in
 * ms; `slicer` {average_size, size_variation, delay}; `limit_data` {bytes}.
 */
export type ToxicKind =
  | "latency"
  | "bandwidth"
  | "timeout"
  | "slow_close"
  | "reset_peer"
  | "slicer"
  | "limit_data";

/** A link to a server that can be made bad. */
export type Link = {
  /** host:port that clients connect to instead of the server's. */
  readonly address: string;
  /**
   * Adds a fault until `heal`.
   * @param direction upstream: what clients send; downstream: what the server answers. Without it both.
   */
  harm(
    kind: ToxicKind,
    attributes: Readonly<Record<string, number>>,
    direction?: "upstream" | "downstream",
  ): Promise<void>;
  /** Closes all connections and refuses new ones until `heal`. */
  cut(): Promise<void>;
  /** As if nothing had been. */
  heal(): Promise<void>;
};

/** A toxiproxy server: disposing stops it and all its links. */
export type Toxiproxy = AsyncDisposable & {
  readonly pid: number | undefined;
  /** A new link to a server. */
  link(upstream: string): Promise<Link>;
};

const HOST = "127.0.0.1";
const START_TIMEOUT_MS = 10_000;

/**
 * Starts toxiproxy.
 * @throws EngineMissing when it is not on this machine
 */
export async function startToxiproxy(): Promise<Toxiproxy> {
  const program = findProgram("toxiproxy-server");
  if (program === undefined) {
    throw new EngineMissing("there is no toxiproxy-server. Get it with `npm run engines` (needs Go).");
  }
  return retryWhenTaken(async () => {
    const folder = await workFolder("toxiproxy", undefined);
    const port = await freePort();
    const server = await startServer({
      name: "toxiproxy",
      command: program,
      args: ["-host", HOST, "-port", String(port)],
      host: HOST,
      port,
      folder,
      probe: async (host, at) => JSON.stringify(await call(`http://${host}:${at}`, "GET", "/version")),
      startTimeoutMs: START_TIMEOUT_MS,
    });
    const api = `http://${HOST}:${port}`;
    return {
      get pid() {
        return server.pid;
      },
      link: (upstream) => openLink(api, upstream),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });
}

async function openLink(api: string, upstream: string): Promise<Link> {
  const name = crypto.randomUUID();
  const address = `${HOST}:${await freePort()}`;
  await call(api, "POST", "/proxies", { name, listen: address, upstream, enabled: true });
  return {
    address,
    async harm(kind, attributes, direction) {
      for (const stream of direction === undefined ? ["upstream", "downstream"] : [direction]) {
        await call(api, "POST", `/proxies/${name}/toxics`, {
          name: `${kind}-${stream}`,
          type: kind,
          stream,
          toxicity: 1,
          attributes,
        });
      }
    },
    async cut() {
      await call(api, "POST", `/proxies/${name}`, { enabled: false });
    },
    async heal() {
      const { toxics } = (await call(api, "GET", `/proxies/${name}`)) as { toxics: { name: string }[] };
      for (const toxic of toxics) await call(api, "DELETE", `/proxies/${name}/toxics/${toxic.name}`);
      await call(api, "POST", `/proxies/${name}`, { enabled: true });
    },
  };
}

async function call(api: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${api}${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`toxiproxy ${method} ${path}: ${response.status} ${text}`);
  return text.startsWith("{") ? JSON.parse(text) : text;
}
