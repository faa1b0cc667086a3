import { jetstreamManager } from "@nats-io/jetstream";
import { connect, credsAuthenticator, type NatsConnection } from "@nats-io/transport-node";
import { EngineError } from "../core/engine-error.ts";
import { type Clock, sleep, systemClock } from "../core/time.ts";
import { connectProblem } from "./connect-problem.ts";
import type { NatsOptions } from "./options.ts";

/** Oldest server that the engines work with: `major.minor`. */
const OLDEST_SERVER = [2, 12] as const;
/** How long the first connection may take in all, over every server named. */
const CONNECT_DEADLINE_MS = 4_500;
/** How long one server may take for its handshake, first time and later. */
const HANDSHAKE_MS = 2_000;
/** The link is taken for dead after two of these without an answer: a half-open link shows in 4 to 6 s. */
const PING_PERIOD_MS = 2_000;
/** Waits between attempts to come back grow from the first to the second, each times 0.5 to 1.5. */
const RECONNECT_MS = { first: 100, longest: 2_000 } as const;
/** How long `drain` waits for the server before it closes all the same. */
const DRAIN_MS = 2_000;

/**
 * The one connection of a process to the NATS servers of one region; log, bus, leases, snapshots and nodes share it.
 * Once it stands it comes back by itself for ever. Whoever opened it disposes it, after the engines on it.
 */
export type NatsLink = AsyncDisposable & {
  readonly connection: NatsConnection;
  /** Version of the server connected to first. */
  readonly serverVersion: string;
  /** False from the moment the connection is known to be lost until it stands again. */
  readonly connected: boolean;
  /** Calls the listener at every loss and every return of the connection; the returned function ends that. */
  watch(listener: (connected: boolean) => void): () => void;
  /** Sends what is under way, ends all subscriptions and closes; bounded to 2 s. Disposing does the same. */
  drain(): Promise<void>;
};

/**
 * Connects, and checks that the server is new enough and has JetStream. Rejects within about 5 s with an EngineError:
 * `nats.servers` (nobody answers, too old, no JetStream), `nats.user`, `nats.creds_file`, `nats.tls`, `nats.ca_file`.
 * @param random 0 ≤ r < 1, spreads the attempts of many processes to come back
 */
export async function connectNats(
  options: NatsOptions,
  clock: Clock = systemClock,
  random: () => number = Math.random,
): Promise<NatsLink> {
  const link = new Link(clock, random);
  await link.open(options);
  return link;
}

class Link implements NatsLink {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #listeners = new Set<(connected: boolean) => void>();
  #connection: NatsConnection | undefined;
  #serverVersion = "";
  #lostAtMs: number | undefined;
  #closing: Promise<void> | undefined;

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  get connection(): NatsConnection {
    if (!this.#connection) throw new EngineError("nats.servers", "not connected yet");
    return this.#connection;
  }

  get serverVersion(): string {
    return this.#serverVersion;
  }

  get connected(): boolean {
    return this.#lostAtMs === undefined && !this.connection.isClosed();
  }

  watch(listener: (connected: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async open(options: NatsOptions): Promise<void> {
    const connection = await this.#connect(options);
    try {
      this.#serverVersion = connection.info?.version ?? "";
      checkVersion(this.#serverVersion, options);
      await checkJetStream(connection, options);
    } catch (error) {
      await connection.close();
      throw error;
    }
    this.#connection = connection;
    void this.#follow(connection);
  }

  async #connect(options: NatsOptions): Promise<NatsConnection> {
    const connecting = Promise.resolve().then(() =>
      connect({
        servers: options.servers,
        name: options.name,
        tls: options.tls,
        ...authentication(options),
        timeout: HANDSHAKE_MS,
        pingInterval: PING_PERIOD_MS,
        maxPingOut: 2,
        maxReconnectAttempts: -1,
        waitOnFirstConnect: false,
        // Credentials may be exchanged at the server first: refused once is not refused for ever.
        ignoreAuthErrorAbort: true,
        reconnectDelayHandler: () => this.#reconnectDelayMs(),
        noAsyncTraces: true,
      }),
    );
    const late = new AbortController();
    const deadline = sleep(this.#clock, CONNECT_DEADLINE_MS, late.signal).then(() => undefined);
    const connection = await Promise.race([connecting, deadline]).catch((cause) => {
      throw connectProblem(options, cause);
    });
    late.abort();
    if (connection) return connection;
    // The client can't be told to give up; should it succeed yet, nobody wants it any more.
    connecting.then((unwanted) => unwanted.close()).catch(() => undefined);
    throw connectProblem(options, undefined);
  }

  #reconnectDelayMs(): number {
    const lostForMs = this.#lostAtMs === undefined ? 0 : this.#clock.monotonic() - this.#lostAtMs;
    const delayMs = Math.min(RECONNECT_MS.longest, RECONNECT_MS.first + lostForMs / 4);
    return Math.round(delayMs * (0.5 + this.#random()));
  }

  async #follow(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === "disconnect" && this.#lostAtMs === undefined) {
        this.#lostAtMs = this.#clock.monotonic();
        for (const listener of this.#listeners) listener(false);
      } else if (type === "reconnect") {
        this.#lostAtMs = undefined;
        for (const listener of this.#listeners) listener(true);
      }
    }
  }

  drain(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const late = new AbortController();
    // Without a server there is nobody to drain to: closing is all that is left.
    const drained = this.connected ? this.connection.drain().catch(() => undefined) : undefined;
    await Promise.race([drained, sleep(this.#clock, DRAIN_MS, late.signal)]);
    late.abort();
    await this.connection.close();
    this.#listeners.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }
}

function authentication(options: NatsOptions) {
  if (options.credentials) return { authenticator: credsAuthenticator(options.credentials) };
  return options.user === undefined ? {} : { user: options.user, pass: options.password ?? "" };
}

function checkVersion(version: string, options: NatsOptions): void {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  if (major > OLDEST_SERVER[0] || (major === OLDEST_SERVER[0] && minor >= OLDEST_SERVER[1])) return;
  const needed = OLDEST_SERVER.join(".");
  throw new EngineError(
    "nats.servers",
    `the NATS server at ${options.servers.join(", ")} is too old: ${version}, needed is ${needed} or newer`,
  );
}

async function checkJetStream(connection: NatsConnection, options: NatsOptions): Promise<void> {
  const where = options.servers.join(", ");
  try {
    await jetstreamManager(connection, { timeout: HANDSHAKE_MS });
  } catch (cause) {
    const what =
      cause instanceof Error && cause.name === "JetStreamNotEnabled"
        ? "has JetStream switched off (for this account)"
        : "does not answer for JetStream (no leader, or no permission)";
    throw new EngineError("nats.servers", `the NATS server at ${where} ${what}`, { cause });
  }
}
