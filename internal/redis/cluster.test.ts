import { describe, expect, test } from "vitest";
import { startRedisCluster } from "../../test/kit/engines/redis-cluster.ts";
import { nodeAt } from "./kit.ts";
import { connectRedis } from "./link.ts";

describe("a connection to a Redis Cluster", () => {
  test("goes on with the other nodes while one is away, and with all when it is back", {
    timeout: 90_000,
  }, async () => {
    await using cluster = await startRedisCluster(3);
    const nodes = cluster.addresses.map(nodeAt);
    await using link = await connectRedis({ nodes, cluster: true });
    await link.command("CONFIG", "GET", "port");
    const setAll = () =>
      Promise.allSettled(Array.from({ length: 60 }, (_, i) => link.command("SET", `k${i}`, i, "PX", 60_000)));
    expect((await setAll()).every(({ status }) => status === "fulfilled")).toBe(true);
    await cluster.nodes[1]!.kill("SIGKILL");
    const startMs = performance.now();
    const some = await setAll();
    expect(performance.now() - startMs).toBeLessThan(5_000);
    for (const each of some)
      if (each.status === "rejected") expect(each.reason).toMatchObject({ code: "STORE_UNAVAILABLE" });
    await cluster.nodes[1]!.start();
    await expect
      .poll(async () => (await setAll()).every(({ status }) => status === "fulfilled"), { timeout: 30_000 })
      .toBe(true);
  });

  test("is found through any node that lives, and closes in bounded time when none does", async () => {
    await using cluster = await startRedisCluster(3);
    const dead = { host: "127.0.0.1", port: 1 };
    const link = await connectRedis({
      nodes: [dead, nodeAt(cluster.addresses[2]!)],
      cluster: true,
    });
    await link.command("SET", "k", 1, "PX", 60_000);
    for (const node of cluster.nodes) await node.kill("SIGKILL");
    for (let i = 0; i < 20; i++) {
      const askedMs = performance.now();
      await expect(link.command("GET", `k${i}`)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      expect(performance.now() - askedMs).toBeLessThan(3_000);
    }
    const startMs = performance.now();
    await link[Symbol.asyncDispose]();
    expect(performance.now() - startMs).toBeLessThan(3_000);
  });
});
