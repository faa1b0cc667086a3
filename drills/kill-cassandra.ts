import type { Drill } from "./drill.ts";
import { killAndRestart } from "./faults.ts";
import { underLoad } from "./under-load.ts";

const DEAD_MS = 3_000;

export const killCassandra: Drill = {
  name: "kill-cassandra",
  shows: "kill -9 of Cassandra: acks and live updates go on, history catches up from its cursor",
  run: (context) =>
    underLoad(
      {
        name: "kill-cassandra",
        acksPromised: true,
        fault: (world) => killAndRestart(world, world.deployment.engines.cassandra, DEAD_MS),
      },
      context,
    ),
};
