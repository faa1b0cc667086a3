import { connect } from "node:net";
import { Redis } from "ioredis";
import { EngineError } from "../core/engine-error.ts";
import { connectProblem } from "./connect-problem.ts";
import { nodesText, type RedisOptions } from "./options.ts";

/** A first connection that is not there by then counts as failed. */
const PROBE_TIMEOUT_MS = 1_500;
/** GEOSEARCH and SET … GET came with it. */
const OLDEST_VERSION = [7, 0] as const;

/** No further node is tried after this. */
const PATIENCE_MS = 2_000;

/**
 * Looks at the first node that answers: may we, is it new enough, is it what `redis.cluster` says. Closes its
 * connection. Rejects with an EngineError within 5 s.
 */
export async function probeRedis(options: RedisOptions): Promise<void> {
  const startedMs = performance.now();
  const each = options.nodes.map((node) => ({ ...options, nodes: [node] }));
  const knocked = await Promise.allSettled(each.map(knock));
  let problem: unknown;
  for (const [i, node] of each.entries()) {
    if (knocked[i]!.status === "rejected") continue;
    try {
      await probeNode(node);
      return checkCount(options);
    } catch (error) {
      problem ??= error;
      const isOfNode = error instanceof EngineError && error.setting === "redis.nodes";
      if (!isOfNode || performance.now() - startedMs > PATIENCE_MS) break;
    }
  }
  if (problem) throw problem;
  const failed = knocked.find((outcome) => outcome.status === "rejected");
  throw connectProblem(options, failed?.reason, false);
}

async function probeNode(options: RedisOptions): Promise<void> {
  const client = new Redis({
    ...options.nodes[0]!,
    ...connectionOptions(options),
    lazyConnect: true,
    retryStrategy: null,
    enableReadyCheck: false,
    connectTimeout: PROBE_TIMEOUT_MS,
    commandTimeout: PROBE_TIMEOUT_MS,
    autoResendUnfulfilledCommands: false,
  });
  let first: unknown;
  client.on("error", (error) => {
    first ??= error;
  });
  try {
    await client.connect();
    const server = parseInfo(await client.info("server"));
    checkVersion(options, server.get("redis_version") ?? "");
    const cluster = server.get("redis_mode") === "cluster";
    checkMode(options, cluster);
    if (cluster) await checkCluster(options, client);
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw connectProblem(options, first ?? error, true);
  } finally {
    client.disconnect();
  }
}

/** Opens and closes a TCP connection: what fails after that is not the address's fault. */
async function knock(options: RedisOptions): Promise<void> {
  const { host, port } = options.nodes[0]!;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ host, port, timeout: PROBE_TIMEOUT_MS }, resolve);
  socket.on("timeout", () => reject(new Error("the connection timed out")));
  socket.on("error", reject);
  try {
    await promise;
  } finally {
    socket.destroy();
  }
}

function checkVersion(options: RedisOptions, version: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > OLDEST_VERSION[0] || (major === OLDEST_VERSION[0] && minor >= OLDEST_VERSION[1])) return;
  const needed = OLDEST_VERSION.join(".");
  throw new EngineError(
    "redis.nodes",
    `the server at ${nodesText(options)} is Redis ${version}, older than ${needed}`,
  );
}

function checkMode(options: RedisOptions, cluster: boolean): void {
  if (cluster === options.cluster) return;
  const what = cluster ? "is part of a Redis Cluster" : "is no Redis Cluster";
  throw new EngineError(
    "redis.cluster",
    `is ${options.cluster}, but the server at ${nodesText(options)} ${what}`,
  );
}

function checkCount({ cluster, nodes }: RedisOptions): void {
  if (cluster || nodes.length === 1) return;
  throw new EngineError("redis.nodes", `names ${nodes.length} servers, and only a Redis Cluster has several`);
}

async function checkCluster(options: RedisOptions, client: Redis): Promise<void> {
  const state = parseInfo(String(await client.cluster("INFO"))).get("cluster_state");
  if (state === "ok") return;
  throw new EngineError(
    "redis.nodes",
    `the Redis Cluster at ${nodesText(options)} says that its state is ${state}`,
  );
}

/** `name:value` lines. */
function parseInfo(text: string): Map<string, string> {
  const pairs = text.split("\r\n").map((line) => line.split(":"));
  return new Map(pairs.map(([name = "", ...value]) => [name, value.join(":")]));
}

/** What every connection to the options' servers needs. */
export function connectionOptions(options: RedisOptions) {
  return {
    ...(options.user ? { username: options.user } : {}),
    ...(options.password ? { password: options.password } : {}),
    ...(options.tls ? { tls: options.tls.ca ? { ca: options.tls.ca } : {} } : {}),
    protocol: 2 as const,
    connectionName: "bimride",
    disableClientInfo: true,
  };
}
