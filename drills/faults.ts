import { pause, until } from "../bench/load/pause.ts";
import type { RoleProcess } from "../bench/load/role-process.ts";
import type { Engine } from "../test/kit/engines/engine.ts";
import type { Fault, World } from "./under-load.ts";

/** How long it may take until every partition has live updates again, before a drill gives up on it. */
const BACK_PATIENCE_MS = 60_000;

/** Kills with SIGKILL, leaves it dead for so long, starts it again on the same port and data, and lets it be used. */
export async function killAndRestart(
  world: World,
  victim: RoleProcess | Engine,
  deadMs: number,
): Promise<Fault> {
  const { log } = world;
  const pid = victim.pid ?? 0;
  const faultAtMs = Date.now();
  await victim.kill("SIGKILL");
  log(`SIGKILL to ${victim.name}, pid ${pid}`);
  await pause(deadMs);
  await victim.start();
  const startedAtMs = Date.now();
  log(`${victim.name} runs again after ${startedAtMs - faultAtMs} ms, pid ${victim.pid}`);
  await untilAllBack(world, startedAtMs);
  return {
    pid,
    faultAtMs,
    healedAtMs: Date.now(),
    measured: { restartMs: startedAtMs - faultAtMs - deadMs },
  };
}

/** Makes something bad for so long. */
export async function harmFor(
  world: World,
  harm: () => Promise<void>,
  heal: () => Promise<void>,
  badMs: number,
): Promise<Fault> {
  const faultAtMs = Date.now();
  await harm();
  world.log(`bad for ${badMs} ms`);
  await pause(badMs);
  await heal();
  const goodAtMs = Date.now();
  const backMs = (await untilAllBack(world, goodAtMs)) - goodAtMs;
  return { pid: 0, faultAtMs, healedAtMs: Date.now(), measured: { backMs } };
}

/** Waits until every partition had a live update that was computed after that moment; the answer is when that was. */
export async function untilAllBack({ tap }: World, sinceMs: number): Promise<number> {
  await until(() => tap.times.allBackAtMs(sinceMs) !== undefined, BACK_PATIENCE_MS, "live updates again");
  return tap.times.allBackAtMs(sinceMs) as number;
}
