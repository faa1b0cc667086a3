import { describe, expect, test } from "vitest";
import { startRedis } from "../../../test/kit/engines/redis.ts";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import { startToxiproxy } from "../../../test/kit/engines/toxiproxy.ts";
import { systemClock } from "../../core/time.ts";
import { nodeAt } from "../../redis/kit.ts";
import { connectRedis } from "../../redis/link.ts";
import type { Latest } from "../latest.ts";
import { car, flush, live, TRIP } from "../test-data.ts";
import { freshRegion, startRedisHarness, TEST_LIMITS } from "./kit.ts";
import { openRedisLatest } from "./latest.ts";

const everywhere = { southDeg: -90, northDeg: 90, westDeg: -180, eastDeg: 180 };
const many = Array.from({ length: 5_000 }, (_, i) => car(`c${i}`, { latDeg: 50 + i / 1_000 }));

/** Every method rejects with STORE_UNAVAILABLE within the time. */
async function expectRefusals(latest: Latest, withinMs: number): Promise<void> {
  const startMs = performance.now();
  const asked = [
    latest.update(flush({ parties: many, trips: [live(1)], removed: ["driver/x"] })),
    latest.party("driver/a"),
    latest.trip(TRIP),
    latest.within(everywhere, 10),
    latest.nearby(57.7, 11.97, 100, 10),
    latest.sweep(0, 0),
  ];
  for (const each of await Promise.allSettled(asked))
    expect(each).toMatchObject({ status: "rejected", reason: { code: "STORE_UNAVAILABLE" } });
  expect(performance.now() - startMs).toBeLessThan(withinMs);
}

/** Writes until it is taken, which must be within 10 s. */
async function untilTaken(latest: Latest): Promise<void> {
  await expect
    .poll(() => latest.update(flush({ parties: many })).catch(() => undefined), { timeout: 10_000 })
    .toEqual({ refused: 0 });
  expect((await latest.within(everywhere, 10_000)).parties).toHaveLength(many.length);
}

describe("the latest state in Redis, in trouble", () => {
  test("refuses in bounded time while the server is dead or stands still, and goes on by itself", async () => {
    await using server = await startRedis();
    await using redis = await startRedisHarness([server.address]);
    await using latest = await redis.open(systemClock);
    await untilTaken(latest);
    await server.kill("SIGKILL");
    await expect.poll(() => redis.link.ready).toBe(false);
    await expectRefusals(latest, 500);
    await server.start();
    await untilTaken(latest);
    await server.kill("SIGSTOP");
    await expectRefusals(latest, 4_000);
    await server.kill("SIGCONT");
    await untilTaken(latest);
  });

  test("gets over a link that is half-open, slow or cut", { timeout: 60_000 }, async () => {
    await using server = await startRedis();
    await using proxy = await startToxiproxy();
    const way = await proxy.link(server.address);
    await using redis = await startRedisHarness([way.address]);
    await using latest = await redis.open(systemClock);
    await way.harm("latency", { latency: 100, jitter: 50 });
    await untilTaken(latest);
    await way.heal();
    await way.harm("timeout", { timeout: 0 });
    await expectRefusals(latest, 4_000);
    await way.heal();
    await untilTaken(latest);
    await way.cut();
    await expect.poll(() => redis.link.ready).toBe(false);
    await expectRefusals(latest, 500);
    await way.heal();
    await untilTaken(latest);
  });

  test("an owner on another connection that was superseded changes nothing, whatever it still sends", async () => {
    await using redis = await startRedisHarness([sharedEngines().redis]);
    await using other = await connectRedis({ nodes: [nodeAt(sharedEngines().redis)], cluster: false });
    const region = freshRegion();
    await using before = await redis.open(systemClock, region);
    await using after = await openRedisLatest({
      ...{ link: other, region, limits: TEST_LIMITS, clock: systemClock },
    });
    const write = (latest: Latest, partitionEpoch: number, seq: number) =>
      latest.update(
        flush({ partitionEpoch, parties: [car("a", { seq, latDeg: partitionEpoch })], trips: [live(seq)] }),
      );
    await write(before, 1, 1);
    const answers = await Promise.all([
      ...[2, 3, 4, 5, 6].map((seq) => write(before, 1, seq)),
      ...[2, 3, 4].map((seq) => write(after, 2, seq)),
      ...[7, 8, 9].map((seq) => write(before, 1, seq)),
    ]);
    expect(answers.slice(5, 8)).toEqual([{ refused: 0 }, { refused: 0 }, { refused: 0 }]);
    expect(await write(before, 1, 99)).toEqual({ refused: 2 });
    expect(await write(after, 2, 50)).toEqual({ refused: 0 });
    expect(await before.party("driver/a")).toMatchObject({ seq: 50, latDeg: 2 });
    expect((await before.trip(TRIP))?.version.sequence).toBe(50);
  });
});

describe("a start that can't work names the setting", () => {
  const openAs = async (address: string, options: { user?: string; password?: string }) => {
    await using link = await connectRedis({ nodes: [nodeAt(address)], cluster: false, ...options });
    const latest = await openRedisLatest({
      ...{ link, region: "se1", limits: TEST_LIMITS, clock: systemClock },
    });
    await latest[Symbol.asyncDispose]();
  };

  test("when the user may not write there, or run scripts", async () => {
    await using server = await startRedis();
    await using admin = await connectRedis({ nodes: [nodeAt(server.address)], cluster: false });
    const password = "only-for-this-test";
    const user = (name: string, ...rules: string[]) =>
      admin.command("ACL", "SETUSER", name, "on", `>${password}`, ...rules);
    await user("reader", "~*", "+@all", "-@write");
    await user("elsewhere", "~other:*", "+@all");
    await user("unscripted", "~*", "+@all", "-@scripting");
    await user("right", "~bimride:*", "+@all");
    for (const name of ["reader", "elsewhere", "unscripted"])
      await expect(openAs(server.address, { user: name, password })).rejects.toMatchObject({
        name: "EngineError",
        message: expect.stringMatching(/^redis\.user: may not do what is needed at .*NOPERM[^\n]*$/),
      });
    await openAs(server.address, { user: "right", password });
  });

  test("when it is a replica, which takes no writes", async () => {
    await using server = await startRedis();
    const { host, port } = nodeAt(sharedEngines().redis);
    await using admin = await connectRedis({ nodes: [nodeAt(server.address)], cluster: false });
    await admin.command("REPLICAOF", host, port);
    await expect(openAs(server.address, {})).rejects.toMatchObject({
      name: "EngineError",
      message: expect.stringMatching(/^redis\.nodes: .* says: (READONLY|MASTERDOWN|LOADING)[^\n]*$/),
    });
  });
});
