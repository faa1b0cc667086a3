import { afterAll, beforeAll } from "vitest";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import { latestContract } from "../contract.ts";
import { startRedisHarness } from "./kit.ts";

let redis: Awaited<ReturnType<typeof startRedisHarness>>;
beforeAll(async () => {
  redis = await startRedisHarness([sharedEngines().redis]);
});
afterAll(() => redis[Symbol.asyncDispose]());

latestContract("Redis", (clock) => redis.open(clock));
