import { pause, until } from "../bench/load/pause.ts";
import type { RoleProcess } from "../bench/load/role-process.ts";
import type { Engine } from "../test/kit/engines/engine.ts";
import type { Fault, World } from "./under-load.ts";

/** How long it may take until every partition has live updates again, before a drill gives up on it. */
const BACK_PATIENCE_MS = 60_000;

/** Kills with SIGKILL, leaves it dead for so long, starts it again on the same port and data, and lets it be used. */
export async function killAndRestart(
  { tap, log }: World,
  victim: RoleProcess | Engine,
  deadMs: number,
): Promise<Fault> {
  const pid = victim.pid ?? 0;
  const faultAtMs = Date.now();
  await victim.kill("SIGKILL");
  log(`SIGKILL to ${victim.name}, pid ${pid}`);
  await pause(deadMs);
  await victim.start();
  const startedAtMs = Date.now();
  log(`${victim.name} runs again after ${startedAtMs - faultAtMs} ms, pid ${victim.pid}`);
  await until(() => tap.allBackAfterMs(startedAtMs) !== undefined, BACK_PATIENCE_MS, "live updates again");
  return {
    pid,
    faultAtMs,
    healedAtMs: Date.now(),
    measured: { restartMs: startedAtMs - faultAtMs - deadMs },
  };
}

/** Makes something bad for so long. */
export async function harmFor(
  { tap, log }: World,
  harm: () => Promise<void>,
  heal: () => Promise<void>,
  badMs: number,
): Promise<Fault> {
  const faultAtMs = Date.now();
  await harm();
  log(`bad for ${badMs} ms`);
  await pause(badMs);
  await heal();
  const goodAtMs = Date.now();
  await until(() => tap.allBackAfterMs(goodAtMs) !== undefined, BACK_PATIENCE_MS, "live updates again");
  const backMs = tap.allBackAfterMs(goodAtMs) ?? 0;
  return { pid: 0, faultAtMs, healedAtMs: Date.now(), measured: { backMs } };
}

/** Waits until every partition had a live update since the fault; the answer is how long after it that was. */
export async function untilAllBack({ tap }: World, faultAtMs: number): Promise<number> {
  await until(() => tap.allBackAfterMs(faultAtMs) !== undefined, BACK_PATIENCE_MS, "live updates again");
  return tap.allBackAfterMs(faultAtMs) as number;
}
