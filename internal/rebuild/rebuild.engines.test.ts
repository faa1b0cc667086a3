import { jetstreamManager } from "@nats-io/jetstream";
import { afterAll, beforeAll } from "vitest";
import { sharedEngines } from "../../test/kit/engines/shared.ts";
import { migratedKeyspace } from "../cassandra/kit.ts";
import { systemClock } from "../core/time.ts";
import { freshPrefix, TEST_LOG } from "../eventlog/nats/kit.ts";
import { openNatsLog } from "../eventlog/nats/log.ts";
import { openCassandraHistory } from "../history/cassandra/history.ts";
import { MemoryLatest } from "../latest/memory/memory-latest.ts";
import { connectNats } from "../nats/link.ts";
import { T0 } from "../pipeline/test-drives.ts";
import type { World } from "../projections/test-world.ts";
import { rebuildHistorySuite } from "./history-suite.ts";
import { rebuildLatestSuite } from "./latest-suite.ts";

const DAY_MS = 86_400_000;

async function natsLog({ limits }: World) {
  const prefix = freshPrefix();
  const link = await connectNats({ servers: [sharedEngines().nats], name: "bimride-test" });
  const { partitions } = limits;
  const log = await openNatsLog({ ...TEST_LOG, region: "got", link, prefix, partitions });
  return {
    log,
    async [Symbol.asyncDispose]() {
      await log[Symbol.asyncDispose]();
      const manager = await jetstreamManager(link.connection, { checkAPI: false });
      await manager.streams.delete(`${prefix}LOG_got`);
      await link[Symbol.asyncDispose]();
    },
  };
}

/** One keyspace for all: to make one takes seconds. */
let cassandra: Awaited<ReturnType<typeof migratedKeyspace>>;
beforeAll(async () => {
  cassandra = await migratedKeyspace("rebuild");
});
afterAll(() => cassandra?.[Symbol.asyncDispose]());

async function empty(): Promise<void> {
  for (const table of ["track_chunks", "trip_final", "trip_events"])
    await cassandra.link.client.execute(`TRUNCATE ${table}`);
}

rebuildHistorySuite(
  "the real engines",
  async (world) => {
    await empty();
    const at = await natsLog(world);
    // The drives lie in the past, so the retention is counted from there.
    const clock = { ...systemClock, now: () => T0 + DAY_MS };
    const history = await openCassandraHistory({ link: cassandra.link, retentionMs: 90 * DAY_MS, clock });
    return {
      ...{ log: at.log, history, empty },
      now: () => Date.now(),
      logsInRealTime: true,
      advanceTo: async () => {},
      async [Symbol.asyncDispose]() {
        await history[Symbol.asyncDispose]();
        await at[Symbol.asyncDispose]();
      },
    };
  },
  2,
);

rebuildLatestSuite("the NATS log", async (world) => {
  const at = await natsLog(world);
  return {
    log: at.log,
    latest: new MemoryLatest(world.clock),
    lost: new MemoryLatest(world.clock),
    now: () => Date.now(),
    [Symbol.asyncDispose]: at[Symbol.asyncDispose],
  };
});
