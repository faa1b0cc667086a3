import { jetstreamManager } from "@nats-io/jetstream";
import { describe, expect, test } from "vitest";
import { startNats } from "../../../test/kit/engines/nats.ts";
import { startNatsCluster } from "../../../test/kit/engines/nats-cluster.ts";
import { startToxiproxy } from "../../../test/kit/engines/toxiproxy.ts";
import { connectNats } from "../../nats/link.ts";
import { TEST_LOG } from "./kit.ts";
import { openNatsLog } from "./log.ts";
import { SteadyReader, SteadyWriter } from "./steady-writer.ts";

const ALL = [0, 1, 2, 3];
const SOME = [1, 3];

/** Opens a log with a writer and two readers, lets something happen, and compares in the end. */
async function throughTrouble(
  servers: string[],
  replicas: number,
  trouble: (writer: SteadyWriter) => Promise<void>,
): Promise<void> {
  await using link = await connectNats({ servers, name: "bimride-test" });
  await using log = await openNatsLog({ ...TEST_LOG, link, replicas });
  const writer = new SteadyWriter(log);
  const [everything, some] = [new SteadyReader(log, ALL), new SteadyReader(log, SOME)];
  await writer.more(500);
  await trouble(writer);
  await writer.more(500);
  await writer.stop();
  writer.check(await everything.finish(log, ALL));
  const wanted = everything.entries.filter(({ partition }) => SOME.includes(partition));
  const inOrder = (partition: number) => (entry: { partition: number }) => entry.partition === partition;
  const read = await some.finish(log, SOME);
  for (const partition of SOME)
    expect(read.filter(inOrder(partition)).map(({ sequence }) => sequence)).toEqual(
      wanted.filter(inOrder(partition)).map(({ sequence }) => sequence),
    );
  expect(await log.health()).toBeUndefined();
}

/** Appends asked for from `afterMs` on are refused within milliseconds, from a second after the trouble at the latest. */
async function expectFastRefusals(writer: SteadyWriter, sinceMs: number): Promise<void> {
  let refusal = await writer.refusal();
  while (refusal.askedAtMs < sinceMs + 1_500) refusal = await writer.refusal();
  const settled = writer.refused.filter(({ askedAtMs }) => askedAtMs > sinceMs + 1_200);
  expect(settled.length).toBeGreaterThan(5);
  for (const { code, askedAtMs, atMs } of settled) {
    expect(code).toBe("LOG_UNAVAILABLE");
    expect(atMs - askedAtMs).toBeLessThan(100);
  }
}

describe("the NATS log loses nothing that it acknowledged, skips and doubles nothing", () => {
  test("when the server is killed in the middle of appends and starts again", {
    timeout: 60_000,
  }, async () => {
    await using server = await startNats();
    await throughTrouble([server.address], 1, async (writer) => {
      await server.kill("SIGKILL");
      await expectFastRefusals(writer, performance.now());
      await server.start();
    });
  });

  test("when the server is killed and back at once", { timeout: 60_000 }, async () => {
    await using server = await startNats();
    await throughTrouble([server.address], 1, async (writer) => {
      for (let round = 0; round < 3; round++) {
        await server.kill("SIGKILL");
        await server.start();
        await writer.more(100);
      }
    });
  });

  test("when the server stands still for a while", { timeout: 60_000 }, async () => {
    await using server = await startNats();
    await throughTrouble([server.address], 1, async (writer) => {
      await server.kill("SIGSTOP");
      await expectFastRefusals(writer, performance.now());
      await server.kill("SIGCONT");
    });
  });

  test("when the stream's leader in a cluster of three is killed", { timeout: 90_000 }, async () => {
    await using cluster = await startNatsCluster(3);
    await throughTrouble([...cluster.addresses], 3, async (writer) => {
      await using link = await connectNats({ servers: [...cluster.addresses], name: "bimride-test" });
      const manager = await jetstreamManager(link.connection, { checkAPI: false });
      const leader = (await manager.streams.info("LOG_eu1")).cluster?.leader;
      const node = cluster.nodes.find(({ serverName }) => serverName === leader)!;
      await node.kill("SIGKILL");
      await writer.more(500);
      await node.start();
    });
  });

  test("when the link is cut, slow and half-open", { timeout: 90_000 }, async () => {
    await using server = await startNats();
    await using proxy = await startToxiproxy();
    const link = await proxy.link(server.address);
    await throughTrouble([link.address], 1, async (writer) => {
      await link.cut();
      await expectFastRefusals(writer, performance.now());
      await link.heal();
      await writer.more(200);
      await link.harm("latency", { latency: 100, jitter: 50 });
      await writer.more(200);
      await link.heal();
      await writer.more(200);
      await link.harm("timeout", { timeout: 0 });
      await expectFastRefusals(writer, performance.now());
      await link.heal();
    });
  });
});
