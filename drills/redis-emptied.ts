import { Redis } from "ioredis";
import { LoadDrivers } from "../bench/load/load-drivers.ts";
import { pause, until } from "../bench/load/pause.ts";
import type { Drill } from "./drill.ts";
import { type Fault, underLoad, type World } from "./under-load.ts";

/** Cars that stand still without a word: their state can come back from the owners' memory only. */
const SILENT_CARS = 50;
const MAX_BACK_MS = 5_000;
const PATIENCE_MS = 30_000;

export const redisEmptied: Drill = {
  name: "redis-emptied",
  shows: "FLUSHALL under load: also cars that say nothing are back in the latest state within 5 s",
  run: (context) => underLoad({ name: "redis-emptied", acksPromised: true, fault }, context),
};

async function fault({ deployment, probe, log }: World): Promise<Fault> {
  const { redis } = deployment.engines;
  const silent = await LoadDrivers.create(deployment, SILENT_CARS, "silent", 1_000);
  silent.start();
  await pause(1_500);
  await silent.finish(PATIENCE_MS);
  const present = async () => (await probe.present(silent.trips)) === SILENT_CARS;
  await until(present, PATIENCE_MS, "the silent cars are in the latest state");

  const faultAtMs = Date.now();
  await flushAll(redis.address);
  const goneOf = SILENT_CARS - (await probe.present(silent.trips));
  await until(present, PATIENCE_MS, "the silent cars are back");
  const backMs = Date.now() - faultAtMs;
  await silent.close();
  log(`emptied, ${goneOf} of ${SILENT_CARS} silent cars seen missing, all back after ${backMs} ms`);
  const problems = backMs < MAX_BACK_MS ? [] : [`back only after ${backMs} ms`];
  // Acks are looked at over the whole time that the state may be away.
  await pause(Math.max(0, faultAtMs + MAX_BACK_MS - Date.now()));
  return {
    ...{ pid: redis.pid ?? 0, faultAtMs, problems },
    healedAtMs: Date.now(),
    measured: { backMs, goneOf },
  };
}

async function flushAll(address: string): Promise<void> {
  const client = new Redis(`redis://${address}`, { maxRetriesPerRequest: 1 });
  try {
    await client.flushall();
  } finally {
    client.disconnect();
  }
}
