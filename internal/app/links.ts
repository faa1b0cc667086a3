import { readFile } from "node:fs/promises";
import type { Logger } from "pino";
import type { CassandraLink } from "../cassandra/link.ts";
import type { Settings } from "../config/settings.ts";
import { EngineError } from "../core/engine-error.ts";
import { type Clock, systemClock } from "../core/time.ts";
import type { NatsLink } from "../nats/link.ts";
import type { RedisLink } from "../redis/link.ts";
import type { RegionEngines } from "../regions/regions.ts";
import { atMostEvery } from "../telemetry/at-most-every.ts";

/** Opens something once for all who name it alike. */
export type Share = <Thing extends AsyncDisposable>(
  key: string,
  open: () => Promise<Thing>,
) => Promise<Thing>;

/** The connections to one region's servers, each opened when the first engine asks for it. */
export type Links = {
  nats(): Promise<NatsLink>;
  redis(): Promise<RedisLink>;
  cassandra(): Promise<CassandraLink>;
  /** Connects to all of them, one after the other; rejects with the first EngineError. */
  open(): Promise<void>;
  /**
   * Names the Cassandra that {@link cassandra} connects to, with data centre and keyspace: regions with the same one
   * share it.
   */
  readonly cassandraName: string;
};

export type LinksDeps = {
  settings: Settings;
  /** Names this process at the servers. */
  nodeId: string;
  clock: Clock;
  share: Share;
  logger: Logger;
};

/** Attempts to come back fail every two seconds; one line in so long says that they do. */
const FAILURE_LOG_PERIOD_MS = 10_000;

/** @param own addresses that the region has for itself */
export function linksOf(own: RegionEngines, { settings, nodeId, clock, share, logger }: LinksDeps): Links {
  const natsServers = own.natsServers ?? list(settings.natsServers);
  const redisNodes = own.redisNodes ?? list(settings.redisNodes);
  const cassandra = {
    contactPoints: own.cassandraContactPoints ?? list(settings.cassandraContactPoints),
    localDataCenter: own.cassandraLocalDc ?? settings.cassandraLocalDc,
    keyspace: own.cassandraKeyspace ?? settings.cassandraKeyspace,
  };
  const cassandraName = `${cassandra.contactPoints} ${cassandra.localDataCenter} ${cassandra.keyspace}`;
  const links: Links = {
    cassandraName,
    async open() {
      await links.nats();
      await links.redis();
      await links.cassandra();
    },
    nats: () =>
      share(`nats ${natsServers}`, async () => {
        const { connectNats } = await import("../nats/link.ts");
        return connectNats(
          {
            servers: [...natsServers],
            name: nodeId,
            ...(settings.natsUser ? { user: settings.natsUser } : {}),
            ...(await secret("nats.password_file", settings.natsPasswordFile)),
            ...(settings.natsCredsFile
              ? { credentials: await file("nats.creds_file", settings.natsCredsFile) }
              : {}),
            ...(settings.natsTls ? { tls: await authority("nats.ca_file", settings.natsCaFile) } : {}),
          },
          clock,
        );
      }),
    redis: () =>
      share(`redis ${redisNodes}`, async () => {
        const { connectRedis } = await import("../redis/link.ts");
        const options = {
          nodes: redisNodes.map(hostAndPort),
          cluster: settings.redisCluster,
          ...(settings.redisUser ? { user: settings.redisUser } : {}),
          ...(await secret("redis.password_file", settings.redisPasswordFile)),
          ...(settings.redisTls ? { tls: await authority("redis.ca_file", settings.redisCaFile) } : {}),
        };
        const isDue = atMostEvery(FAILURE_LOG_PERIOD_MS, systemClock);
        return connectRedis(options, {
          failed: (error) => {
            if (isDue()) logger.warn({ err: error }, "connection to Redis failed");
          },
        });
      }),
    cassandra: () =>
      share(`cassandra ${cassandraName}`, async () => {
        const { connectCassandra } = await import("../cassandra/link.ts");
        return connectCassandra(await cassandraOptions(settings, own));
      }),
  };
  return links;
}

/** How to reach the Cassandra of a region. */
export async function cassandraOptions(settings: Settings, own: RegionEngines) {
  return {
    contactPoints: [...(own.cassandraContactPoints ?? list(settings.cassandraContactPoints))],
    localDataCenter: own.cassandraLocalDc ?? settings.cassandraLocalDc,
    keyspace: own.cassandraKeyspace ?? settings.cassandraKeyspace,
    ...(settings.cassandraUser ? { user: settings.cassandraUser } : {}),
    ...(await secret("cassandra.password_file", settings.cassandraPasswordFile)),
    ...(settings.cassandraTls ? { tls: await authority("cassandra.ca_file", settings.cassandraCaFile) } : {}),
  };
}

function list(text: string): string[] {
  return text.split(",").map((part) => part.trim());
}

function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}

async function secret(setting: string, path: string): Promise<{ password?: string }> {
  return path ? { password: (await file(setting, path)).toString("utf8").trim() } : {};
}

async function authority(setting: string, path: string): Promise<{ ca?: string }> {
  return path ? { ca: (await file(setting, path)).toString("utf8") } : {};
}

async function file(setting: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new EngineError(setting, `${path} can't be read`, { cause });
  }
}
