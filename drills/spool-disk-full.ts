import type { DeploymentOptions } from "../bench/load/deployment.ts";
import { pause, until } from "../bench/load/pause.ts";
import type { Drill, DrillContext } from "./drill.ts";
import { untilAllBack } from "./faults.ts";
import { mountSmallDisk } from "./small-disk.ts";
import { type Fault, underLoad, type World } from "./under-load.ts";

/** Room for about half a minute at 500 fixes/s; also the least that `gateway.spool_max_bytes` takes. */
const DISK_BYTES = 1 << 20;
const FULL_PATIENCE_MS = 120_000;
/** No verdict of any kind for so long means that they are withheld. */
const QUIET_MS = 3_000;

export const spoolDiskFull: Drill = {
  name: "spool-disk-full",
  shows: "NATS is killed and the gateway's disk fills up: verdicts are withheld, and no fix with one is lost",
  run: runFull,
};

async function runFull(context: DrillContext) {
  const disk = await mountSmallDisk(DISK_BYTES);
  if (disk) context.owned.use(disk);
  context.log(
    disk
      ? `the gateway's data is on a file system of ${DISK_BYTES} bytes`
      : `a small file system can't be mounted here: gateway.spool_max_bytes is ${DISK_BYTES} instead`,
  );
  const setting: Record<string, string> = disk
    ? { "data.dir": disk.path }
    : { "gateway.spool_max_bytes": String(DISK_BYTES) };
  const deployment: DeploymentOptions = {
    gateways: 1,
    settingsOf: (role): Record<string, string> => (role === "gateway" ? setting : {}),
  };
  return underLoad({ name: "spool-disk-full", acksPromised: false, deployment, fault: fillUp }, context);
}

async function fillUp(world: World): Promise<Fault> {
  const { deployment, drivers, log } = world;
  const nats = deployment.engines.nats[0]!;
  const pid = nats.pid ?? 0;
  const faultAtMs = Date.now();
  const told = () => drivers.buffered + drivers.acked.length;
  const bufferedBefore = drivers.buffered;
  await nats.kill("SIGKILL");
  await until(
    () => drivers.buffered > bufferedBefore,
    FULL_PATIENCE_MS,
    "fixes are BUFFERED while NATS is away",
  );
  let last = { told: told(), atMs: Date.now() };
  const withheld = () => {
    if (told() !== last.told) last = { told: told(), atMs: Date.now() };
    return Date.now() - last.atMs >= QUIET_MS;
  };
  await until(withheld, FULL_PATIENCE_MS, "verdicts are withheld because the spool is full");
  const fullAfterMs = last.atMs - faultAtMs;
  const buffered = drivers.buffered - bufferedBefore;
  const sentBefore = drivers.sent;
  await pause(QUIET_MS);
  const problems = told() === last.told ? [] : ["verdicts were given although the spool was full"];
  log(
    `full after ${fullAfterMs} ms and ${buffered} fixes: ${drivers.sent - sentBefore} sent since, none answered`,
  );
  await nats.start();
  const startedAtMs = Date.now();
  await untilAllBack(world, startedAtMs);
  return {
    ...{ pid, faultAtMs, problems },
    healedAtMs: Date.now(),
    measured: { fullAfterMs, bufferedUntilFull: buffered, backMs: Date.now() - startedAtMs },
  };
}
