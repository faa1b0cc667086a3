import { jetstreamManager } from "@nats-io/jetstream";
import { Objm } from "@nats-io/obj";
import { describe, expect, test } from "vitest";
import { startNats } from "../../../test/kit/engines/nats.ts";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import { startToxiproxy } from "../../../test/kit/engines/toxiproxy.ts";
import { connectNats } from "../../nats/link.ts";
import { freshPrefix, TEST_REGION } from "./kit.ts";
import { openNatsSnapshots } from "./snapshots.ts";

const BODY = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 2_654_435_761) >>> 24);
const AWAY = { code: "STORE_UNAVAILABLE" };
const link = (server = sharedEngines().nats) => connectNats({ servers: [server], name: "bimride-test" });

async function tookMs(run: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await run();
  return performance.now() - startMs;
}

describe("snapshots on NATS", () => {
  test("of all servers killed at once are gone, but for what this process saved itself; and can be saved again", async () => {
    await using server = await startNats();
    await using own = await link(server.address);
    await using other = await link(server.address);
    const [mine, others] = await Promise.all(
      [own, other].map((each) => openNatsSnapshots({ ...TEST_REGION, link: each })),
    );
    await mine!.save("live-01", BODY);
    expect(await others!.load("live-01")).toEqual(BODY);
    await server.kill("SIGKILL");
    const lost = await tookMs(async () => {
      await expect(mine!.save("live-02", BODY)).rejects.toMatchObject(AWAY);
      await expect(mine!.load("live-01")).rejects.toMatchObject(AWAY);
    });
    expect(lost).toBeLessThan(10_000);
    await server.start();
    await expect.poll(() => own.connected && other.connected, { timeout: 20_000 }).toBe(true);
    expect(await mine!.load("live-01")).toEqual(BODY);
    expect(await others!.load("live-01")).toBeUndefined();
    await others!.save("live-01", BODY.subarray(7));
    expect(await mine!.load("live-01")).toEqual(BODY.slice(7));
  });

  test("of which a part is gone are none, at once", async () => {
    const prefix = freshPrefix();
    await using one = await link();
    const snapshots = await openNatsSnapshots({ ...TEST_REGION, link: one, prefix });
    await snapshots.save("live-01", BODY);
    const manager = await jetstreamManager(one.connection, { checkAPI: false });
    const stream = `OBJ_${prefix}SNAPSHOTS_eu1`;
    const { state } = await manager.streams.info(stream);
    await manager.streams.deleteMessage(stream, state.first_seq + 2);
    expect(await tookMs(async () => expect(await snapshots.load("live-01")).toBeUndefined())).toBeLessThan(
      2_000,
    );
    await snapshots.save("live-01", BODY);
    expect(await snapshots.load("live-01")).toEqual(BODY);
    await manager.streams.delete(stream);
  });

  test("saved by two at once and loaded meanwhile are always whole", async () => {
    const prefix = freshPrefix();
    await using one = await link();
    await using two = await link();
    const all = await Promise.all(
      [one, two].map((each) => openNatsSnapshots({ ...TEST_REGION, link: each, prefix })),
    );
    const bodies = all.map((_, i) => new Uint8Array(500_000).fill(i + 1));
    await all[0]!.save("live-01", bodies[0]!);
    let saving = true;
    const loading = (async () => {
      let loads = 0;
      while (saving) {
        const loaded = await all[1]!.load("live-01");
        // Torn ones are none; one may be replaced again and again while it is read.
        if (loaded) expect(bodies.some((body) => Buffer.compare(body, loaded) === 0)).toBe(true);
        if (loaded) loads++;
      }
      return loads;
    })();
    await Promise.all(
      all.map(async (each, i) => {
        for (let round = 0; round < 10; round++) await each.save("live-01", bodies[i]!);
      }),
    );
    saving = false;
    expect(await loading).toBeGreaterThan(0);
    expect(await all[0]!.load("live-01")).toBeDefined();
    const manager = await jetstreamManager(one.connection, { checkAPI: false });
    await manager.streams.delete(`OBJ_${prefix}SNAPSHOTS_eu1`);
  });

  test("over a half-open link are refused in bounded time", async () => {
    await using proxy = await startToxiproxy();
    const way = await proxy.link(sharedEngines().nats);
    const prefix = freshPrefix();
    await using far = await link(way.address);
    const snapshots = await openNatsSnapshots({ ...TEST_REGION, link: far, prefix });
    await snapshots.save("live-01", BODY);
    await way.harm("timeout", { timeout: 0 });
    const spentMs = await tookMs(() =>
      Promise.all([
        expect(snapshots.save("live-01", BODY)).rejects.toMatchObject(AWAY),
        expect(snapshots.load("live-01")).rejects.toMatchObject(AWAY),
      ]),
    );
    expect(spentMs).toBeLessThan(10_000);
    await way.heal();
    await expect.poll(() => far.connected, { timeout: 20_000 }).toBe(true);
    await snapshots.save("live-01", BODY);
    const manager = await jetstreamManager(far.connection, { checkAPI: false });
    await manager.streams.delete(`OBJ_${prefix}SNAPSHOTS_eu1`);
  });

  test("take nothing of a bucket on disk", async () => {
    const prefix = freshPrefix();
    await using one = await link();
    const store = await new Objm(one.connection).create(`${prefix}SNAPSHOTS_eu1`);
    await expect(openNatsSnapshots({ ...TEST_REGION, link: one, prefix })).rejects.toMatchObject({
      name: "EngineError",
      setting: "nats.servers",
    });
    await store.destroy();
  });
});
