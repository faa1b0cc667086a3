import { checkHistory } from "../bench/load/checker.ts";
import { LoadDrivers, pause } from "../bench/load/load-drivers.ts";
import { ServiceProcess } from "../bench/load/service-process.ts";
import { Viewers } from "../bench/load/viewers.ts";
import { createRandom } from "../demo/random.ts";

export type DrillResult = {
  name: string;
  pid: number;
  faultAt: string;
  kills: number;
  acked: number;
  missing: number;
  duplicated: number;
  wentBack: number;
  /** Longest time without a live update around a kill, over all viewers. */
  gapMs: number;
  ok: boolean;
};

export type KillArgs = { kills: number; rate: number; viewers: number; minAcked: number; seed: number };

/** Least and most time between a start and the next kill. */
const MIN_UP_MS = 500;
const MAX_UP_MS = 3_500;
const CARS_PER_RATE = 4;

/**
 * Kills the whole process with SIGKILL at random moments under load, starts it again, and reads back through GetTrack
 * what the drivers were told is durable. The drivers resend what was not acked; the viewers resume.
 */
export async function killProcess(args: KillArgs, log: (line: string) => void): Promise<DrillResult> {
  await using server = await ServiceProcess.start(["--no-demo"], { BIMRIDE_TELEMETRY_LEVEL: "error" });
  const drivers = await LoadDrivers.create(server, args.rate * CARS_PER_RATE, "kill");
  const viewers = await Viewers.create(server, drivers.trips, args.viewers);
  drivers.start();
  const random = createRandom(args.seed, "kills").unit;
  const pids: number[] = [];
  let gapMs = 0;
  const faultAt = new Date().toISOString();
  for (let n = 1; n <= args.kills; n++) {
    await pause(MIN_UP_MS + random() * (MAX_UP_MS - MIN_UP_MS));
    const killedAt = Date.now();
    pids.push(server.pid);
    await server.kill();
    await server.restart();
    gapMs = Math.max(gapMs, await untilUpdate(viewers, killedAt));
    log(`kill ${n} of ${args.kills}: pid ${pids.at(-1)}, ${drivers.acked.length} acked so far`);
  }
  while (drivers.acked.length < args.minAcked) await pause(500);
  const { unacked } = await drivers.finish(30_000);
  const check = await checkHistory(server, drivers.trips, drivers.acked, 30_000);
  const { wentBack } = viewers;
  await viewers.close();
  await drivers.close();
  const ok = check.missing === 0 && check.duplicated === 0 && wentBack === 0 && unacked === 0;
  return {
    name: "kill-process",
    pid: pids.at(-1) ?? 0,
    faultAt,
    kills: args.kills,
    acked: check.acked,
    missing: check.missing,
    duplicated: check.duplicated,
    wentBack,
    gapMs,
    ok: ok && check.acked >= args.minAcked,
  };
}

async function untilUpdate(viewers: Viewers, killedAtMs: number): Promise<number> {
  while (viewers.lastUpdateAtMs <= killedAtMs) await pause(20);
  return viewers.lastUpdateAtMs - killedAtMs;
}
