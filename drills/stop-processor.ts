import { pause } from "../bench/load/pause.ts";
import type { Drill } from "./drill.ts";
import { untilAllBack } from "./faults.ts";
import { type Fault, underLoad, type World } from "./under-load.ts";

const STOPPED_MS = 10_000;
/** What it still writes when it wakes, it writes in this time. */
const WATCHED_MS = 5_000;

export const stopProcessor: Drill = {
  name: "stop-processor",
  shows:
    "SIGSTOP of a processor for 10 s: others take over, and when it wakes no viewer and no store sees anything older",
  run: (context) => underLoad({ name: "stop-processor", acksPromised: true, fault }, context),
};

async function fault(world: World): Promise<Fault> {
  const { deployment, random, log, tap } = world;
  const victim = random.pick(deployment.processors);
  const pid = victim.pid ?? 0;
  const faultAtMs = Date.now();
  await victim.kill("SIGSTOP");
  log(`SIGSTOP to ${victim.name}, pid ${pid}`);
  const stoppedAtMs = Date.now();
  const backMs = (await untilAllBack(world, stoppedAtMs)) - faultAtMs;
  await pause(Math.max(0, faultAtMs + STOPPED_MS - Date.now()));
  const staleBefore = tap.stale;
  await victim.kill("SIGCONT");
  log(`SIGCONT; every partition had updates again ${backMs} ms after the stop`);
  await pause(WATCHED_MS);
  const problems = backMs < STOPPED_MS ? [] : ["nobody took over while it stood still"];
  return {
    ...{ pid, faultAtMs, problems },
    healedAtMs: Date.now(),
    takeOversMs: [backMs],
    measured: { busStaleAfterWaking: tap.stale - staleBefore },
  };
}
