import { probeCassandra, startCassandra } from "./cassandra.ts";
import type { Engine, EngineName } from "./engine.ts";
import { probeNats, startNats } from "./nats.ts";
import { probeRedis, startRedis } from "./redis.ts";
import { givenEngine } from "./start-engine.ts";

const KINDS = {
  nats: { variable: "BIMRIDE_TEST_NATS_URL", probe: probeNats, start: startNats },
  redis: { variable: "BIMRIDE_TEST_REDIS_URL", probe: probeRedis, start: startRedis },
  cassandra: {
    variable: "BIMRIDE_TEST_CASSANDRA_CONTACT_POINTS",
    probe: probeCassandra,
    start: startCassandra,
  },
} as const;

/**
 * An engine to share: the one that the environment names (BIMRIDE_TEST_NATS_URL, BIMRIDE_TEST_REDIS_URL,
 * BIMRIDE_TEST_CASSANDRA_CONTACT_POINTS), else one of our own. Whoever kills or empties it calls startNats and its
 * siblings instead: they never take a given one.
 * @throws EngineMissing when there is no way to one; an error when the given one does not answer
 */
export function findEngine(name: EngineName): Promise<Engine> {
  const { variable, probe, start } = KINDS[name];
  const given = process.env[variable];
  return given ? givenEngine(name, variable, given, probe) : start();
}
