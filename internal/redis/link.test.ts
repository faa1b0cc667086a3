import { describe, expect, test } from "vitest";
import { startRedis } from "../../test/kit/engines/redis.ts";
import { sharedEngines } from "../../test/kit/engines/shared.ts";
import { startToxiproxy } from "../../test/kit/engines/toxiproxy.ts";
import { BimrideError } from "../core/errors.ts";
import { redisAt, untilAnswered } from "./kit.ts";
import { connectRedis, type RedisLink, reconnectDelayMs } from "./link.ts";

describe("a connection to Redis that stands", () => {
  test("refuses at once while the server is away, queues nothing, and comes back by itself", async () => {
    await using server = await startRedis();
    await using link = await connectRedis(redisAt(server.address));
    await link.command("PING");
    await server.kill("SIGKILL");
    await expect.poll(() => link.ready).toBe(false);
    const startMs = performance.now();
    const asked = await Promise.allSettled(Array.from({ length: 5_000 }, () => link.command("PING")));
    expect(performance.now() - startMs).toBeLessThan(1_000);
    for (const each of asked)
      expect(each).toMatchObject({ status: "rejected", reason: { code: "STORE_UNAVAILABLE" } });
    await server.start();
    await untilAnswered(link);
  });

  test("rejects what was under way when the server dies", async () => {
    await using server = await startRedis();
    await using link = await connectRedis(redisAt(server.address));
    await server.kill("SIGSTOP");
    const asked = Promise.allSettled(Array.from({ length: 100 }, () => link.command("PING")));
    await server.kill("SIGKILL");
    for (const each of await asked) expect(each).toMatchObject({ reason: { code: "STORE_UNAVAILABLE" } });
  });

  test("lets a bounded number of commands wait, each for a bounded time, while the server stands still", async () => {
    await using server = await startRedis();
    await using link = await connectRedis(redisAt(server.address));
    await server.kill("SIGSTOP");
    const startMs = performance.now();
    const failedAfterMs = await Promise.all(
      Array.from({ length: 3_000 }, () =>
        link.command("PING").then(
          () => expect.unreachable("it was answered"),
          (error: unknown) => {
            expect(error).toBeInstanceOf(BimrideError);
            expect(error).toMatchObject({ code: "STORE_UNAVAILABLE" });
            return performance.now() - startMs;
          },
        ),
      ),
    );
    expect(failedAfterMs.filter((ms) => ms < 1_000)).toHaveLength(1_000);
    expect(Math.max(...failedAfterMs)).toBeLessThan(5_000);
    await server.kill("SIGCONT");
    await untilAnswered(link);
  });

  test("gets over a link that is half-open, slow or cut", { timeout: 60_000 }, async () => {
    await using proxy = await startToxiproxy();
    const way = await proxy.link(sharedEngines().redis);
    await using link = await connectRedis(redisAt(way.address));
    await way.harm("latency", { latency: 300, jitter: 0 }, "downstream");
    await link.command("PING");
    await way.heal();
    await way.harm("timeout", { timeout: 0 });
    const startMs = performance.now();
    await expect(link.command("PING")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(performance.now() - startMs).toBeLessThan(4_000);
    await expect.poll(() => link.ready, { timeout: 10_000 }).toBe(false);
    await way.heal();
    await untilAnswered(link);
    await way.cut();
    await expect.poll(() => link.ready).toBe(false);
    await way.heal();
    await untilAnswered(link);
  });

  test("closes in bounded time, once, also when the server is gone or says nothing", async () => {
    await using server = await startRedis();
    const closed = async (link: RedisLink) => {
      const startMs = performance.now();
      await Promise.all([link[Symbol.asyncDispose](), link[Symbol.asyncDispose]()]);
      await link[Symbol.asyncDispose]();
      expect(performance.now() - startMs).toBeLessThan(3_000);
      await expect(link.command("PING")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    };
    await closed(await connectRedis(redisAt(server.address)));
    const silent = await connectRedis(redisAt(server.address));
    const gone = await connectRedis(redisAt(server.address));
    await server.kill("SIGSTOP");
    await closed(silent);
    await server.kill("SIGCONT");
    await server.kill("SIGKILL");
    await expect.poll(() => gone.ready).toBe(false);
    await closed(gone);
  });

  test("tells errors of attempts to come back to whoever listens", async () => {
    await using server = await startRedis();
    const heard: Error[] = [];
    await using _link = await connectRedis(redisAt(server.address), { failed: (error) => heard.push(error) });
    await server.kill("SIGKILL");
    await expect.poll(() => heard.length).toBeGreaterThan(1);
  });

  test("learns a script again that the server forgot", async () => {
    await using server = await startRedis();
    await using link = await connectRedis(redisAt(server.address));
    const two = link.script("two", "return { KEYS[1], 2 }");
    for (let i = 0; i < 3; i++) {
      expect(await two(["k"], [])).toEqual([Buffer.from("k"), 2]);
      await link.command("SCRIPT", "FLUSH");
    }
    expect(await Promise.all([two(["k"], []), two(["l"], [])])).toHaveLength(2);
  });

  test("says INTERNAL for what is the fault of the command, without its arguments", async () => {
    await using link = await connectRedis(redisAt(sharedEngines().redis));
    const failure = await link.command("GEOADD", "k", "777.125", "57.7012345", "m").catch((e: unknown) => e);
    expect(failure).toMatchObject({ code: "INTERNAL" });
    const told = JSON.stringify({ ...(failure as Error), cause: String((failure as Error).cause) });
    expect(told).not.toMatch(/777|57\.7/);
  });
});

test("attempts to come back are spread by chance, and never far apart", () => {
  expect([1, 2, 3, 10, 50].map((attempt) => reconnectDelayMs(attempt, () => 0.5))).toEqual([
    50, 100, 200, 2_000, 2_000,
  ]);
  expect(reconnectDelayMs(50, () => 0.999)).toBeLessThan(3_000);
});
