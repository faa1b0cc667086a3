import { migrate } from "../../internal/cassandra/migrate.ts";
import { CASSANDRA_DATA_CENTER, startCassandra } from "../../test/kit/engines/cassandra.ts";
import type { Engine } from "../../test/kit/engines/engine.ts";
import { type NatsProfile, startNats } from "../../test/kit/engines/nats.ts";
import { type NatsNode, startNatsCluster } from "../../test/kit/engines/nats-cluster.ts";
import { startRedis } from "../../test/kit/engines/redis.ts";
import { type Link, startToxiproxy } from "../../test/kit/engines/toxiproxy.ts";
import type { SettingTexts } from "./role-process.ts";

export type EngineOptions = {
  /** Servers of NATS: 1, or a cluster of 3 whose streams have 3 copies. */
  natsNodes?: 1 | 3;
  natsProfile?: NatsProfile;
  /** The roles reach NATS over a link that can be made bad; for one server only. */
  natsOverProxy?: boolean;
};

/** The three engines of a deployment, each a process of our own. Disposing ends them. */
export type DeploymentEngines = AsyncDisposable & {
  /** Each can be killed and started again, with its data. */
  readonly nats: readonly Engine[];
  readonly redis: Engine;
  readonly cassandra: Engine;
  /** The link between the roles and NATS, with `natsOverProxy`. */
  readonly natsLink: Link | undefined;
  /** host:port of the NATS servers themselves, for readers that must not depend on the link. */
  readonly natsAddresses: readonly string[];
  /** As the servers tell them. */
  readonly versions: Readonly<Record<"nats" | "redis" | "cassandra", string>>;
  /** What roles need to find them. */
  readonly settings: SettingTexts;
};

const KEYSPACE = "bimride";

/**
 * Starts NATS, Redis and Cassandra side by side (about 10 s) and makes the schema.
 * @throws EngineMissing when one can't be had; none is left running then
 */
export async function startDeploymentEngines(options: EngineOptions = {}): Promise<DeploymentEngines> {
  await using stack = new AsyncDisposableStack();
  const [nats, redis, cassandra] = await allOrNone(stack, [
    startNatsServers(options),
    startRedis(),
    startCassandra(),
  ]);
  const natsAddresses = nats.servers.map(({ address }) => address);
  const proxy = options.natsOverProxy ? stack.use(await startToxiproxy()) : undefined;
  const natsLink = await proxy?.link(natsAddresses[0]!);
  await migrate(
    {
      contactPoints: [cassandra.address],
      localDataCenter: CASSANDRA_DATA_CENTER,
      keyspace: KEYSPACE,
    },
    { replication: 1, print: () => undefined },
  );
  const owned = stack.move();
  return {
    nats: nats.servers,
    redis,
    cassandra,
    natsLink,
    natsAddresses,
    versions: {
      nats: nats.servers[0]!.version,
      redis: redis.version,
      cassandra: cassandra.version,
    },
    settings: {
      engines: "real",
      "nats.servers": natsLink?.address ?? natsAddresses.join(","),
      "nats.replicas": String(nats.servers.length),
      "redis.nodes": redis.address,
      "cassandra.contact_points": cassandra.address,
      "cassandra.local_dc": CASSANDRA_DATA_CENTER,
      "cassandra.keyspace": KEYSPACE,
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

type NatsServers = AsyncDisposable & { servers: readonly (Engine | NatsNode)[] };

async function startNatsServers({ natsNodes = 1, natsProfile }: EngineOptions): Promise<NatsServers> {
  const profile = natsProfile ? { profile: natsProfile } : {};
  if (natsNodes === 1) {
    const server = await startNats(profile);
    return { servers: [server], [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
  }
  const cluster = await startNatsCluster(natsNodes, profile);
  return { servers: cluster.nodes, [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose]() };
}

/** Waits for all starts, also when one fails, so that what did start is ended by the stack. */
export async function allOrNone<const Started extends readonly Promise<AsyncDisposable>[]>(
  stack: AsyncDisposableStack,
  starts: Started,
): Promise<{ -readonly [At in keyof Started]: Awaited<Started[At]> }> {
  const outcomes = await Promise.allSettled(starts);
  for (const outcome of outcomes) if (outcome.status === "fulfilled") stack.use(outcome.value);
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed) throw failed.reason;
  return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<AsyncDisposable>).value) as never;
}
