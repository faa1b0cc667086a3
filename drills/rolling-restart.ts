import { pause } from "../bench/load/pause.ts";
import type { Drill } from "./drill.ts";
import { type Fault, underLoad, type World } from "./under-load.ts";

/** A drain that takes longer is ended by force, and the drill is not ok. */
const DRAIN_PATIENCE_MS = 15_000;
/** Between two restarts, as an operator's script would leave. */
const BETWEEN_MS = 2_000;

export const rollingRestart: Drill = {
  name: "rolling-restart",
  shows:
    "SIGTERM and start of every gateway, processor and edge in turn: acks go on, nothing is lost or doubled",
  run: (context) => underLoad({ name: "rolling-restart", acksPromised: true, fault }, context),
};

async function fault({ deployment, log }: World): Promise<Fault> {
  const faultAtMs = Date.now();
  const problems: string[] = [];
  let slowestDrainMs = 0;
  let pid = 0;
  const { roles } = deployment;
  for (const role of roles) {
    pid = role.pid ?? 0;
    const askedAtMs = Date.now();
    const willing = await role.stop(DRAIN_PATIENCE_MS);
    const drainMs = Date.now() - askedAtMs;
    slowestDrainMs = Math.max(slowestDrainMs, drainMs);
    if (!willing) problems.push(`${role.name} did not end within ${DRAIN_PATIENCE_MS} ms`);
    await role.start();
    log(`${role.name}, pid ${pid}, drained in ${drainMs} ms, ready again after ${Date.now() - askedAtMs} ms`);
    await pause(BETWEEN_MS);
  }
  return {
    ...{ pid, faultAtMs, problems },
    healedAtMs: Date.now(),
    faults: roles.length,
    measured: { slowestDrainMs },
  };
}
