import { sharedEngines } from "../../test/kit/engines/shared.ts";
import { startRedisHarness } from "../latest/redis/kit.ts";
import { rebuildLatestSuite } from "./latest-suite.ts";

rebuildLatestSuite("Redis", async ({ log, clock }) => {
  const harness = await startRedisHarness([sharedEngines().redis]);
  const latest = await harness.open(clock);
  const lost = await harness.open(clock);
  return {
    ...{ log, latest, lost },
    now: () => clock.now(),
    async [Symbol.asyncDispose]() {
      await latest[Symbol.asyncDispose]();
      await lost[Symbol.asyncDispose]();
      await harness[Symbol.asyncDispose]();
    },
  };
});
