import type { Drill } from "./drill.ts";
import { killAndRestart } from "./faults.ts";
import { type Fault, underLoad, type World } from "./under-load.ts";

const DEAD_MS = 3_000;
/** What a driver makes of the first outage shows at the next ones. */
const OUTAGES = 3;

export const killCassandra: Drill = {
  name: "kill-cassandra",
  shows: "three kill -9 of Cassandra: acks and live updates go on, history catches up from its cursor",
  run: (context) =>
    underLoad(
      {
        name: "kill-cassandra",
        acksPromised: true,
        fault: severalTimes,
      },
      context,
    ),
};

async function severalTimes(world: World): Promise<Fault> {
  const outages: Fault[] = [];
  while (outages.length < OUTAGES)
    outages.push(await killAndRestart(world, world.deployment.engines.cassandra, DEAD_MS));
  return { ...outages.at(-1)!, faultAtMs: outages[0]!.faultAtMs, faults: OUTAGES };
}
