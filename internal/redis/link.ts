import { Cluster, Redis } from "ioredis";
import { BimrideError } from "../core/errors.ts";
import { connectProblem } from "./connect-problem.ts";
import { commandFailure } from "./failures.ts";
import { nodesText, type RedisOptions } from "./options.ts";
import { connectionOptions, probeRedis } from "./probe.ts";

/** A command without an answer by then has failed; whether Redis did it is then unknown. */
const COMMAND_TIMEOUT_MS = 2_000;
/** A connection that owes answers and sends nothing for so long is dropped and made anew (a half-open link). */
const SILENCE_MS = 3_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** A connection that does not close by itself, because the other side says nothing, is destroyed then. */
const CLOSE_TIMEOUT_MS = 500;
/** Commands that may wait for their answers at a time; more fail with STORE_UNAVAILABLE. */
const MAX_IN_FLIGHT = 2_000;
/** Waits between attempts to come back grow from the first to the longest, each times 0.5 to 1.5. */
const RECONNECT_MS = { first: 50, longest: 2_000 } as const;

/** What a command or a script may be given. */
export type RedisArgument = string | number | Buffer;

/** A Lua script that the server knows by its digest, and learns again when it has forgotten it. */
export type RedisScript = (keys: readonly string[], args: readonly RedisArgument[]) => Promise<unknown>;

/**
 * The one connection of a process to the Redis server or cluster of one region. Once it stands it comes back by itself
 * for ever. Nothing is queued while it is away: commands then reject at once with STORE_UNAVAILABLE, and so do those
 * under way when it breaks. Whoever opened it disposes it, after the engines on it.
 */
export type RedisLink = AsyncDisposable & {
  readonly cluster: boolean;
  /** The nodes as configured, for messages. */
  readonly address: string;
  /** True while commands can be sent. */
  readonly ready: boolean;
  /** Runs one command; strings of the answer come as Buffers. Its first argument is its key. */
  command(name: string, ...args: RedisArgument[]): Promise<unknown>;
  /** Makes a script callable; all keys of one call must be of one slot. Strings of the answer come as Buffers. */
  script(name: string, lua: string): RedisScript;
};

/**
 * Connects, and checks that we may, that the server is new enough and that it is a cluster where one is expected.
 * Rejects within about 5 s with an EngineError: `redis.nodes` (nobody answers, too old, a cluster not whole),
 * `redis.user`, `redis.password_file`, `redis.tls`, `redis.ca_file`, `redis.cluster`. Nothing is left open then.
 * @param events `failed` is told every error of a connection, also of attempts to come back
 * @param random 0 ≤ r < 1, spreads the attempts of many processes to come back
 */
export async function connectRedis(
  options: RedisOptions,
  events: { failed?(error: Error): void } = {},
  random: () => number = Math.random,
): Promise<RedisLink> {
  await probeRedis(options);
  const client = makeClient(options, (attempt) => reconnectDelayMs(attempt, random));
  client.on("error", (error) => events.failed?.(error));
  if (client instanceof Cluster) client.on("node error", (error) => events.failed?.(error));
  try {
    await client.connect();
  } catch (error) {
    await ended(client);
    throw connectProblem(options, error, true);
  }
  return new Link(client, nodesText(options));
}

function makeClient(options: RedisOptions, retry: (attempt: number) => number): Redis | Cluster {
  const connection = {
    ...connectionOptions(options),
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: SILENCE_MS,
    disconnectTimeout: CLOSE_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
  };
  if (!options.cluster)
    return new Redis({
      ...options.nodes[0]!,
      ...connection,
      lazyConnect: true,
      enableOfflineQueue: false,
      retryStrategy: retry,
    });
  return new Cluster(options.nodes, {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: retry,
    maxRedirections: 4,
    redisOptions: connection,
  });
}

/** The wait before the attempt, counted from 1. */
export function reconnectDelayMs(attempt: number, random: () => number): number {
  const waitMs = Math.min(RECONNECT_MS.longest, RECONNECT_MS.first * 2 ** Math.min(attempt - 1, 10));
  return Math.round(waitMs * (0.5 + random()));
}

type Send = (...args: RedisArgument[]) => Promise<unknown>;

class Link implements RedisLink {
  readonly cluster: boolean;
  readonly address: string;
  readonly #client: Redis | Cluster;
  #inFlight = 0;

  constructor(client: Redis | Cluster, address: string) {
    this.#client = client;
    this.address = address;
    this.cluster = client instanceof Cluster;
  }

  get ready(): boolean {
    return this.#client.status === "ready";
  }

  command(name: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#run(() => this.#client.callBuffer(name, args));
  }

  script(name: string, lua: string): RedisScript {
    this.#client.defineCommand(name, { lua });
    const send = (this.#client as unknown as Record<string, Send>)[`${name}Buffer`]!.bind(this.#client);
    return (keys, args) => this.#run(() => send(keys.length, ...keys, ...args));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await ended(this.#client);
  }

  async #run(send: () => Promise<unknown>): Promise<unknown> {
    if (!this.ready || this.#inFlight >= MAX_IN_FLIGHT) throw new BimrideError("STORE_UNAVAILABLE");
    this.#inFlight++;
    try {
      return await send();
    } catch (error) {
      throw commandFailure(error);
    } finally {
      this.#inFlight--;
    }
  }
}

/** Ends the client; resolves when it is closed, in bounded time. Between two attempts to connect it never says "end". */
async function ended(client: Redis | Cluster): Promise<void> {
  if (client.status === "end") return;
  const isClosed = client.status === "close" || client.status === "reconnecting";
  const { promise, resolve } = Promise.withResolvers<void>();
  client.once("end", resolve);
  const timer = setTimeout(resolve, 2 * CLOSE_TIMEOUT_MS);
  client.disconnect();
  if (!isClosed) await promise;
  clearTimeout(timer);
}
