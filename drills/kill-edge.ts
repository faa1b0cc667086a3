import type { Drill } from "./drill.ts";
import { killAndRestart } from "./faults.ts";
import { underLoad } from "./under-load.ts";

const DEAD_MS = 5_000;

export const killEdge: Drill = {
  name: "kill-edge",
  shows: "kill -9 of one of two edges: its viewers resume at the other and see nothing older",
  run: (context) =>
    underLoad(
      {
        name: "kill-edge",
        acksPromised: true,
        fault: (world) => killAndRestart(world, world.random.pick(world.deployment.edges), DEAD_MS),
      },
      context,
    ),
};
