import type { Drill } from "./drill.ts";
import { killAndRestart } from "./faults.ts";
import { underLoad } from "./under-load.ts";

const DEAD_MS = 5_000;

export const killGateway: Drill = {
  name: "kill-gateway",
  shows: "kill -9 of one of two gateways: its drivers go to the other, and all that was acked is kept",
  run: (context) =>
    underLoad(
      {
        name: "kill-gateway",
        acksPromised: true,
        fault: (world) => killAndRestart(world, world.random.pick(world.deployment.gateways), DEAD_MS),
      },
      context,
    ),
};
