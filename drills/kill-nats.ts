import type { Drill } from "./drill.ts";
import { killAndRestart } from "./faults.ts";
import { underLoad, type World } from "./under-load.ts";

const DEAD_MS = 5_000;

export const killNats: Drill = {
  name: "kill-nats",
  shows:
    "kill -9 of nats-server: gateways keep what comes on their disks (BUFFERED) and drain it when it is back",
  run: (context) => underLoad({ name: "kill-nats", acksPromised: false, fault }, context),
};

async function fault(world: World) {
  const bufferedBefore = world.drivers.buffered;
  const done = await killAndRestart(world, world.deployment.engines.nats[0]!, DEAD_MS);
  const buffered = world.drivers.buffered - bufferedBefore;
  return { ...done, problems: buffered > 0 ? [] : ["no fix was BUFFERED while NATS was away"] };
}
