import { checkHistory } from "../bench/load/checker.ts";
import { FIX_INTERVAL_MS, LoadDrivers } from "../bench/load/load-drivers.ts";
import { pause } from "../bench/load/pause.ts";
import { ServiceProcess } from "../bench/load/service-process.ts";
import { Viewers } from "../bench/load/viewers.ts";
import { createRandom } from "../demo/random.ts";
import { type Drill, type DrillContext, type DrillResult, own } from "./drill.ts";

const DEFAULT_RATE = 500;
const KILLS = 20;
const MARGIN = 1.05;
/** Least and most time between a start and the next kill. */
const MIN_UP_MS = 500;
const MAX_UP_MS = 3_500;
const WARM_UP_MS = 4_000;
const WINDOW_MS = 5_000;

export const killProcess: Drill = {
  name: "kill-process",
  shows:
    "kill -9 of the one process of `npm start`, embedded engines, at random moments: nothing acked is lost",
  run: killAtRandom,
};

/**
 * Kills the whole process with SIGKILL at random moments under load, starts it again, and reads back through GetTrack
 * what the drivers were told is durable. The drivers resend what was not acked; the viewers resume.
 */
async function killAtRandom({ args, owned, log }: DrillContext): Promise<DrillResult> {
  const { rate = DEFAULT_RATE, kills = KILLS } = args;
  const server = await own(
    { owned },
    ServiceProcess.start(["--no-demo"], { BIMRIDE_TELEMETRY_LEVEL: "error" }),
  );
  const cars = Math.ceil((rate * MARGIN * FIX_INTERVAL_MS) / 1_000);
  const drivers = await LoadDrivers.create(server, cars, "kill");
  owned.defer(() => drivers.close());
  const viewers = await Viewers.create(server, drivers.trips, args.viewers);
  owned.defer(() => viewers.close());
  drivers.start();
  await pause(WARM_UP_MS);
  const beforeMs = Date.now();
  await pause(WINDOW_MS);

  const random = createRandom(args.seed, "kills");
  let pid = 0;
  let gapMs = 0;
  const faultAtMs = Date.now();
  for (let n = 1; n <= kills; n++) {
    await pause(random.between(MIN_UP_MS, MAX_UP_MS));
    const killedAt = Date.now();
    pid = server.pid;
    await server.kill();
    await server.restart();
    while (viewers.lastUpdateAtMs <= killedAt) await pause(20);
    gapMs = Math.max(gapMs, viewers.lastUpdateAtMs - killedAt);
    log(`kill ${n} of ${kills}: pid ${pid}, ${drivers.acked.length} acked so far`);
  }
  const healedAtMs = Date.now();
  await pause(WARM_UP_MS);
  const afterMs = Date.now();
  await pause(WINDOW_MS);
  const endMs = Date.now();
  const { unacked } = await drivers.finish(30_000);
  const check = await checkHistory(server, drivers.trips, drivers.acked, 30_000);
  const ackedPerSecond = {
    before: Math.round(drivers.ackedPerSecond(beforeMs, faultAtMs)),
    during: Math.round(drivers.ackedPerSecond(faultAtMs, healedAtMs)),
    after: Math.round(drivers.ackedPerSecond(afterMs, endMs)),
  };
  const { wentBack, owners2 } = viewers;
  const problems = Object.entries({ ...check, wentBack, owners2, unacked, refused: drivers.refused })
    .filter(([name, count]) => name !== "acked" && name !== "found" && count !== 0)
    .map(([name, count]) => `${name} is ${count}`);
  if (ackedPerSecond.before < rate) problems.push(`only ${ackedPerSecond.before} fixes/s acked before`);
  if (ackedPerSecond.after < rate) problems.push(`only ${ackedPerSecond.after} fixes/s acked after`);
  return {
    name: killProcess.name,
    pid,
    faultAt: new Date(faultAtMs).toISOString(),
    acked: check.acked,
    missing: check.missing,
    duplicated: check.duplicated,
    ...{ wentBack, owners2, gapMs },
    ok: problems.length === 0,
    ackedPerSecond,
    acksPromised: false,
    faults: kills,
    faultMs: healedAtMs - faultAtMs,
    carIntervalMs: FIX_INTERVAL_MS,
    ...{ unacked, refused: drivers.refused, viewerReconnects: viewers.reconnects, problems },
  };
}
