import { type Client, errors, types } from "cassandra-driver";
import { EngineError } from "../core/engine-error.ts";
import { BimrideError } from "../core/errors.ts";
import { type Clock, sleep, systemClock } from "../core/time.ts";
import { connectProblem } from "./connect-problem.ts";
import { newClient } from "./driver.ts";
import { Gate } from "./gate.ts";
import type { CassandraOptions } from "./options.ts";
import { checkMayWrite } from "./rights.ts";
import { checkSchema } from "./schema.ts";
import { checkVersion } from "./server-version.ts";

/** How long the first connection and its checks may take in all. */
const START_DEADLINE_MS = 10_000;
/** How often the link looks whether any node is left. */
const LOOK_PERIOD_MS = 250;
/** Waits between attempts to come back grow from the first to the second, each times 0.5 to 1.5. */
const RECONNECT_MS = { first: 250, longest: 2_000 } as const;
/** Requests under way at once, and as many again that wait; beyond, they are refused with STORE_UNAVAILABLE. */
const MAX_IN_FLIGHT = 512;
const MAX_WAITING = 8_192;

/**
 * The one connection pool of a process to the Cassandra of one region; history and trips share it. Once it stands it
 * comes back by itself for ever. Whoever opened it disposes it, after the engines on it.
 */
export type CassandraLink = AsyncDisposable & {
  /** For what the methods below don't cover; its errors are the driver's. Another one after every outage. */
  readonly client: Client;
  readonly keyspace: string;
  /** Version of the node first connected to, e.g. `5.0.6`; ScyllaDB tells the version it is compatible with. */
  readonly serverVersion: string;
  /** False while no node of the data centre can be reached. */
  readonly connected: boolean;
  /**
   * Runs one statement of the link's keyspace. Rejects with STORE_UNAVAILABLE when no node answers in time, or when too
   * many wait; the statement may have been carried out all the same.
   */
  execute(cql: string, params: readonly unknown[], options?: StatementOptions): Promise<types.ResultSet>;
  /** Runs statements on one partition as one unlogged batch: all or nothing, as it is one partition. */
  batch(statements: readonly Statement[], options?: StatementOptions): Promise<types.ResultSet>;
};

export type Statement = { query: string; params: unknown[] };

export type StatementOptions = {
  /** False for statements that must not be sent twice, such as conditional ones. Default true. */
  idempotent?: boolean;
  /** Reads what conditional statements decided, also when one of them is not finished. */
  serial?: boolean;
  /** Rows of one answer; the rest comes with the page state. */
  fetchSize?: number;
  pageState?: string;
};

/**
 * Connects and checks version, keyspace, schema and the right to write. Rejects within about 10 s with an EngineError:
 * `cassandra.contact_points` (nobody answers, too old), `cassandra.local_dc`, `cassandra.user`, `cassandra.tls`,
 * `cassandra.ca_file`, `cassandra.keyspace` (missing, or its schema is older or newer than this build).
 */
export async function connectCassandra(
  options: CassandraOptions,
  clock: Clock = systemClock,
): Promise<CassandraLink> {
  const client = newClient(options, options.keyspace);
  try {
    const serverVersion = await inTime(options, clock, async () => {
      await client.connect();
      const version = await checkVersion(client, options);
      await checkSchema(client, options);
      await checkMayWrite(client, options);
      return version;
    });
    return new Link(options, clock, client, serverVersion);
  } catch (cause) {
    await client.shutdown();
    throw connectProblem(options, cause);
  }
}

/** Like the task, but rejects when it takes too long. */
export async function inTime<T>(
  { contactPoints }: CassandraOptions,
  clock: Clock,
  task: () => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const late = sleep(clock, START_DEADLINE_MS, done.signal).then(() => {
    if (done.signal.aborted) return undefined as never;
    const where = contactPoints.join(", ");
    throw new EngineError("cassandra.contact_points", `the Cassandra at ${where} does not answer in time`);
  });
  try {
    return await Promise.race([task(), late]);
  } finally {
    done.abort();
  }
}

/**
 * Where no node is left, the driver's client is given up and a new one made until one connects. The driver would come back
 * by itself, but (4.10.0) it then has two of its loops at work from the next outage on, which trip over each other and end
 * the process, and forgets pools that go on for ever.
 */
class Link implements CassandraLink {
  readonly keyspace: string;
  readonly serverVersion: string;
  readonly #options: CassandraOptions;
  readonly #clock: Clock;
  readonly #gate = new Gate(MAX_IN_FLIGHT, MAX_WAITING);
  readonly #closing = new AbortController();
  readonly #stopLooking: () => void;
  #client: Client;
  #replacing: Promise<void> | undefined;

  constructor(options: CassandraOptions, clock: Clock, client: Client, serverVersion: string) {
    this.keyspace = options.keyspace;
    this.serverVersion = serverVersion;
    this.#options = options;
    this.#clock = clock;
    this.#client = client;
    this.#watch(client);
    this.#stopLooking = clock.every(LOOK_PERIOD_MS, () => this.#look());
  }

  get client(): Client {
    return this.#client;
  }

  get connected(): boolean {
    return !this.#closing.signal.aborted && !this.#replacing && isConnected(this.#client);
  }

  execute(cql: string, params: readonly unknown[], options: StatementOptions = {}): Promise<types.ResultSet> {
    return this.#run(() => this.#client.execute(cql, params as unknown[], driverOptions(options)));
  }

  batch(statements: readonly Statement[], options: StatementOptions = {}): Promise<types.ResultSet> {
    return this.#run(() => this.#client.batch([...statements], { ...driverOptions(options), logged: false }));
  }

  #run<T>(task: () => Promise<T>): Promise<T> {
    return this.#gate.run(async () => {
      if (this.#closing.signal.aborted)
        throw new BimrideError("STORE_UNAVAILABLE", "The connection to Cassandra is closed.");
      try {
        return await task();
      } catch (cause) {
        throw requestProblem(cause);
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopLooking();
    this.#closing.abort();
    await this.#client.shutdown();
  }

  #watch(client: Client): void {
    client.on("hostDown", () => {
      if (client === this.#client) this.#look();
    });
  }

  #look(): void {
    if (this.#closing.signal.aborted || this.#replacing || isConnected(this.#client)) return;
    this.#replacing = this.#replace().finally(() => {
      this.#replacing = undefined;
    });
  }

  /** Never rejects. */
  async #replace(): Promise<void> {
    const { signal } = this.#closing;
    givenUp(this.#client);
    for (let waitMs: number = RECONNECT_MS.first; !signal.aborted; waitMs *= 2) {
      const next = newClient(this.#options, this.keyspace);
      try {
        await next.connect();
        if (signal.aborted) return givenUp(next);
        this.#client = next;
        this.#watch(next);
        return;
      } catch {
        givenUp(next);
        const longestMs = Math.min(waitMs, RECONNECT_MS.longest);
        await sleep(this.#clock, longestMs * (0.5 + Math.random()), signal);
      }
    }
  }
}

function isConnected(client: Client): boolean {
  const state = client.getState();
  return state.getConnectedHosts().some((host) => state.getOpenConnections(host) > 0);
}

/** Ends a client of which nothing is expected any more. */
function givenUp(client: Client): void {
  client.shutdown().catch(() => undefined); // it had nothing left to end properly
}

function driverOptions({ idempotent = true, serial = false, fetchSize, pageState }: StatementOptions) {
  return {
    prepare: true,
    isIdempotent: idempotent,
    ...(serial ? { consistency: types.consistencies.localSerial } : {}),
    ...(fetchSize === undefined ? {} : { fetchSize }),
    ...(pageState === undefined ? {} : { pageState }),
  };
}

/** The engine's trouble is STORE_UNAVAILABLE; what only a fault of ours can bring about stays what it is. */
function requestProblem(cause: unknown): unknown {
  const ours =
    cause instanceof errors.ArgumentError || cause instanceof TypeError || cause instanceof RangeError;
  const syntax = cause instanceof errors.ResponseError && cause.code === types.responseErrorCodes.syntaxError;
  if (ours || syntax || cause instanceof BimrideError) return cause;
  return new BimrideError("STORE_UNAVAILABLE", "Cassandra can't be reached now, or can't do it in time.", {
    cause,
  });
}
