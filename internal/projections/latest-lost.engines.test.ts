import { describe, expect, test } from "vitest";
import { startRedis } from "../../test/kit/engines/redis.ts";
import { systemClock } from "../core/time.ts";
import { openRedisLatest } from "../latest/redis/latest.ts";
import { batchOf, CAR, fixOf, logOf, type Step, T0, tripOf } from "../pipeline/test-drives.ts";
import { nodeAt } from "../redis/kit.ts";
import { connectRedis } from "../redis/link.ts";
import { LiveView } from "./live.ts";
import { Projection } from "./projection.ts";
import * as kit from "./test-world.ts";

const CALM: Step = {
  ...{ gapS: 4, count: 1, jumpM: 0, delaysS: [0], session: 0, clockStepS: 0, trip: "none", device: "none" },
};
const CARS = 700;
const carId = (i: number) => `fleet-${i}`;
const EVERYWHERE = { southDeg: -90, northDeg: 90, westDeg: -180, eastDeg: 180 };

/** A trip's drive, and a fleet of which each has sent one fix. */
function drivesOfAFleet() {
  const drive = logOf(Array.from({ length: 20 }, () => CALM));
  const fleet = Array.from({ length: CARS }, (_, i) => {
    const party = { kind: "driver" as const, id: carId(i) };
    const fix = fixOf(0, T0 + 100_000, 50 * i);
    return { records: [batchOf(T0 + 100_100, [fix], { party, sessionId: "session-f" })] };
  });
  return [...drive, ...fleet];
}

/** The live projection over a Redis of its own. */
async function startLive(address: string, world: kit.World) {
  await using stack = new AsyncDisposableStack();
  const clock = systemClock;
  const link = stack.use(await connectRedis({ nodes: [nodeAt(address)], cluster: false }));
  const latest = stack.use(await openRedisLatest({ link, region: "got", limits: world.limits, clock }));
  let published = 0;
  const bus = {
    publish: () => void published++,
    publishRider: () => {},
  };
  const { limits, lease } = world;
  const view = new LiveView({ bus, latest, clock, limits, lease, propose: () => {} });
  const projection = stack.use(await Projection.start({ ...world, clock }, view));
  const owned = stack.move();
  return {
    ...{ link, latest, projection },
    published: () => published,
    /** All that the store has. */
    async all() {
      const { parties } = await latest.within(EVERYWHERE, 10_000);
      parties.sort((a, b) => (a.partyKey < b.partyKey ? -1 : 1));
      return { parties, trip: await latest.trip(tripOf().tripId) };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Milliseconds until the store has all of it again. */
async function untilAllIsBack(live: Awaited<ReturnType<typeof startLive>>, wanted: object): Promise<number> {
  const startMs = performance.now();
  for (;;) {
    const found = await live.all().catch(() => undefined); // the server may still be away
    if (JSON.stringify(found) === JSON.stringify(wanted)) return performance.now() - startMs;
    if (performance.now() - startMs > 20_000) expect(found).toEqual(wanted);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe("a Redis that lost everything", () => {
  test("has all parties and trips again within seconds, though no fix comes", async () => {
    await using redis = await startRedis();
    await using world = await kit.openWorld();
    await kit.appendAll(world.log, drivesOfAFleet());
    await using live = await startLive(redis.address, world);
    await kit.stored(world, live.projection);
    const before = await live.all();
    expect(before.parties).toHaveLength(CARS + 1);
    expect(before.trip?.trail.length).toBeGreaterThan(0);
    for (let round = 0; round < 3; round++) {
      await live.link.command("FLUSHALL");
      expect((await live.all()).parties.length).toBeLessThan(CARS);
      expect(await untilAllIsBack(live, before)).toBeLessThan(2_000);
    }
  });

  test("because it was killed and came back with nothing: live went on meanwhile, and all is there again", async () => {
    await using redis = await startRedis({ args: ["--appendonly", "no"] });
    await using world = await kit.openWorld();
    const entries = drivesOfAFleet();
    const [first, rest] = [entries.slice(0, 10), entries.slice(10)];
    await kit.appendAll(world.log, first);
    await using live = await startLive(redis.address, world);
    await kit.stored(world, live.projection);
    const publishedBefore = live.published();
    await redis.kill("SIGKILL");
    await kit.appendAll(world.log, rest);
    const { last } = await world.log.bounds(2);
    await kit.until(() => live.projection.cursor(2) === last);
    expect(live.published()).toBeGreaterThan(publishedBefore);
    expect(live.projection.storedCursor(2)).toBeLessThan(last);
    await redis.start();
    await kit.stored(world, live.projection);
    const parties = (await live.all()).parties.map(({ partyKey }) => partyKey);
    expect(parties).toHaveLength(CARS + 1);
    expect(parties).toContain(`driver/${CAR}`);
    expect((await live.all()).trip?.position).toBeDefined();
  });

  test("holds up neither the end of a projection nor its snapshots", async () => {
    await using redis = await startRedis();
    await using world = await kit.openWorld();
    const live = await startLive(redis.address, world);
    await redis.kill("SIGKILL");
    await kit.appendAll(world.log, drivesOfAFleet());
    const { last } = await world.log.bounds(2);
    await kit.until(() => live.projection.cursor(2) === last);
    const startMs = performance.now();
    await live[Symbol.asyncDispose]();
    expect(performance.now() - startMs).toBeLessThan(5_000);
    await redis.start();
    await using again = await startLive(redis.address, world);
    await kit.stored(world, again.projection);
    expect((await again.all()).parties).toHaveLength(CARS + 1);
  });
});
