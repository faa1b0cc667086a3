import { checkHistory } from "../bench/load/checker.ts";
import { Deployment } from "../bench/load/deployment.ts";
import { MqttDrivers } from "../bench/load/mqtt-drivers.ts";
import { pause, until } from "../bench/load/pause.ts";
import { countFixesInLog } from "../bench/load/read-log.ts";
import type { SettingTexts } from "../bench/load/role-process.ts";
import { Viewers } from "../bench/load/viewers.ts";
import { createRandom } from "../demo/random.ts";
import { freePort } from "../test/kit/engines/free-port.ts";
import { type Drill, type DrillContext, type DrillResult, own } from "./drill.ts";

const DEFAULT_RATE = 200;
const KILLS = 10;
/** Least and most time between a start and the next kill. */
const MIN_UP_MS = 1_500;
const MAX_UP_MS = 4_000;
/** How long the log stands still before the kills that are to find publishes without a PUBACK. */
const HELD_MS = 700;
const WARM_UP_MS = 5_000;
const FINISH_PATIENCE_MS = 60_000;
const BACK_PATIENCE_MS = 30_000;

export const mqttPuback: Drill = {
  name: "mqtt-puback",
  shows:
    "kill -9 of a gateway between PUBLISH and PUBACK of stock MQTT clients: their resend loses nothing and doubles nothing",
  run: killBeforePuback,
};

/**
 * Stock MQTT clients publish with QoS 1; the gateway is killed at random moments, every other time while the log's server
 * stands still, so that publishes that were taken have no PUBACK yet. What got a PUBACK, then or after the clients' own
 * resend, must be in history once.
 */
async function killBeforePuback({ args, owned, log }: DrillContext): Promise<DrillResult> {
  const { rate = DEFAULT_RATE, kills = KILLS } = args;
  const port = await freePort();
  const deployment = await own(
    { owned },
    Deployment.start({
      settingsOf: (role): SettingTexts => (role === "gateway" ? { "mqtt.port": String(port) } : {}),
    }),
  );
  const gateway = deployment.gateways[0]!;
  const nats = deployment.engines.nats[0]!;
  const drivers = await own({ owned }, MqttDrivers.create(deployment, `127.0.0.1:${port}`, rate, "puback"));
  const viewers = await Viewers.create(deployment, drivers.trips, args.viewers);
  owned.defer(() => viewers.close());
  drivers.start();
  await pause(WARM_UP_MS);

  const random = createRandom(args.seed, "puback");
  let pid = 0;
  let gapMs = 0;
  let openAtKills = 0;
  const faultAtMs = Date.now();
  for (let n = 1; n <= kills; n++) {
    await pause(random.between(MIN_UP_MS, MAX_UP_MS));
    const holds = n % 2 === 0;
    if (holds) {
      await nats.kill("SIGSTOP");
      await pause(HELD_MS);
    }
    const killedAtMs = Date.now();
    pid = gateway.pid ?? 0;
    openAtKills += drivers.open;
    log(`kill ${n} of ${kills}: pid ${pid}, ${drivers.open} fixes without a PUBACK`);
    await gateway.kill("SIGKILL");
    if (holds) await nats.kill("SIGCONT");
    await gateway.start();
    await until(() => viewers.lastUpdateAtMs > killedAtMs, BACK_PATIENCE_MS, "live updates again");
    gapMs = Math.max(gapMs, viewers.lastUpdateAtMs - killedAtMs);
  }
  const healedAtMs = Date.now();
  await pause(WARM_UP_MS);
  await drivers.finish(FINISH_PATIENCE_MS);
  const check = await checkHistory(deployment, drivers.trips, drivers.acked);
  const inLog = await countFixesInLog(deployment.engines.natsAddresses);
  const sentAgain = [...inLog.values()].filter((count) => count > 1).length;

  const { wentBack, owners2 } = viewers;
  const unacked = drivers.open;
  const problems = Object.entries({ ...check, wentBack, owners2, unacked })
    .filter(([name, count]) => name !== "acked" && name !== "found" && count !== 0)
    .map(([name, count]) => `${name} is ${count}`);
  // Where no kill fell between PUBLISH and PUBACK nothing was shown.
  if (openAtKills === 0) problems.push("no kill found a fix without a PUBACK");
  if (drivers.reconnects < drivers.trips.length) problems.push("the clients did not reconnect");
  return {
    name: mqttPuback.name,
    pid,
    faultAt: new Date(faultAtMs).toISOString(),
    acked: check.acked,
    missing: check.missing,
    duplicated: check.duplicated,
    ...{ wentBack, owners2, gapMs },
    ok: problems.length === 0,
    faults: kills,
    faultMs: healedAtMs - faultAtMs,
    acksPromised: false,
    measured: { openAtKills, storedTwiceInLog: sentAgain, reconnects: drivers.reconnects },
    ...{ unacked, viewerReconnects: viewers.reconnects, problems },
  };
}
