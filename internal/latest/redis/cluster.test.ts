import { afterAll, beforeAll } from "vitest";
import { type RedisCluster, startRedisCluster } from "../../../test/kit/engines/redis-cluster.ts";
import { latestContract } from "../contract.ts";
import { startRedisHarness } from "./kit.ts";

let cluster: RedisCluster;
let redis: Awaited<ReturnType<typeof startRedisHarness>>;
beforeAll(async () => {
  cluster = await startRedisCluster(3);
  redis = await startRedisHarness(cluster.addresses, true);
});
afterAll(async () => {
  await redis?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

latestContract("a Redis Cluster of three", (clock) => redis.open(clock));
