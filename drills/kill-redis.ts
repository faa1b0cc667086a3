import type { Drill } from "./drill.ts";
import { killAndRestart } from "./faults.ts";
import { underLoad } from "./under-load.ts";

const DEAD_MS = 5_000;

export const killRedis: Drill = {
  name: "kill-redis",
  shows: "kill -9 of redis-server: acks and live updates go on, the latest state is back with it",
  run: (context) =>
    underLoad(
      {
        name: "kill-redis",
        acksPromised: true,
        fault: (world) => killAndRestart(world, world.deployment.engines.redis, DEAD_MS),
      },
      context,
    ),
};
