import { join } from "node:path";
import type { SettingTexts } from "../../bench/load/role-process.ts";
import { CASSANDRA_DATA_CENTER, startCassandra } from "../../test/kit/engines/cassandra.ts";
import type { Engine, StartOptions } from "../../test/kit/engines/engine.ts";
import { isFreePort } from "../../test/kit/engines/free-port.ts";
import { startNats } from "../../test/kit/engines/nats.ts";
import { startRedis } from "../../test/kit/engines/redis.ts";

/** The three engines, running on this machine with data that stays. Disposing ends them. */
export type DevEngines = AsyncDisposable & {
  readonly engines: readonly Engine[];
  /** Settings with which the roles find them. */
  readonly settings: SettingTexts;
  /** host:port of the Cassandra node. */
  readonly contactPoint: string;
  readonly localDataCenter: string;
};

/** Tried first, so that the settings' defaults fit. */
const USUAL_PORTS = { nats: 4222, redis: 6379, cassandra: 9042 } as const;

/**
 * Starts NATS, Redis and Cassandra at the same time, on their usual ports or, where these are taken, on free ones.
 * @param folder of their data, one folder each
 * @throws EngineMissing, among others, when one can't be had; none is left running then
 */
export async function startDevEngines(folder: string): Promise<DevEngines> {
  const running: Engine[] = [];
  const stop = async () => {
    await Promise.all(running.splice(0).map((engine) => engine[Symbol.asyncDispose]()));
  };
  const start = async (
    name: keyof typeof USUAL_PORTS,
    begin: (options: StartOptions) => Promise<Engine>,
  ): Promise<Engine> => {
    const usual = USUAL_PORTS[name];
    const port = (await isFreePort("127.0.0.1", usual)) ? usual : undefined;
    const engine = await begin({ folder: join(folder, name), port });
    running.push(engine);
    return engine;
  };
  const outcomes = await Promise.allSettled([
    start("nats", startNats),
    start("redis", startRedis),
    start("cassandra", startCassandra),
  ]);
  const engines = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  const failed = outcomes.filter((outcome) => outcome.status === "rejected");
  if (failed.length > 0) {
    await stop();
    throw failed.length === 1 ? failed[0]!.reason : new AggregateError(failed.map(({ reason }) => reason));
  }
  const [nats, redis, cassandra] = engines.map(({ address }) => address) as [string, string, string];
  return {
    engines,
    contactPoint: cassandra,
    localDataCenter: CASSANDRA_DATA_CENTER,
    settings: {
      engines: "real",
      "nats.servers": nats,
      "redis.nodes": redis,
      "cassandra.contact_points": cassandra,
      "cassandra.local_dc": CASSANDRA_DATA_CENTER,
    },
    [Symbol.asyncDispose]: stop,
  };
}
