import { expect, test } from "vitest";
import { startNats } from "../../../test/kit/engines/nats.ts";
import { systemClock } from "../../core/time.ts";
import { TEST_LOG } from "../../eventlog/nats/kit.ts";
import { openNatsLog } from "../../eventlog/nats/log.ts";
import { connectNats } from "../../nats/link.ts";
import { type Fate, Outlet } from "../outlet.ts";
import { openSpool } from "./spool.ts";
import { TestDisk } from "./test-disk.ts";

const BEFORE_MS = 300;
/** Longer than the engine lets an append wait that was under way when the server died. */
const AWAY_MS = 6_000;

test("a NATS server that is killed and comes back gets all that was told meanwhile, in order", {
  timeout: 60_000,
}, async () => {
  await using server = await startNats();
  await using link = await connectNats({ servers: [server.address], name: "bimride-test" });
  await using log = await openNatsLog({ ...TEST_LOG, link });
  await using spool = await openSpool({
    ...{ folder: "", region: log.region, maxBytes: 8 << 20, clock: systemClock, files: new TestDisk() },
    onEvent() {},
  });
  const outlet = new Outlet({ log, spool, ioClock: systemClock, onDrained() {} });
  const told: { text: string; partition: number; fate: Fate; tookMs: number }[] = [];
  let isRunning = true;
  const writers = Array.from({ length: log.partitions }, async (_, partition) => {
    for (let n = 0; isRunning; n++) {
      const startMs = performance.now();
      const text = `${partition} ${n}`;
      const fate = await outlet.append(partition, new TextEncoder().encode(text));
      told.push({ text, partition, fate, tookMs: performance.now() - startMs });
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  });
  const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  await pass(BEFORE_MS);
  await server.kill("SIGKILL");
  await pass(AWAY_MS);
  expect(outlet.isAway).toBe(true);
  await server.start();
  while (outlet.isAway) await pass(20);
  await pass(BEFORE_MS);
  isRunning = false;
  await Promise.all(writers);
  const spooled = told.filter(({ fate }) => fate.in === "spool");
  expect(spooled.length).toBeGreaterThan(1_000);
  expect(Math.max(...told.map(({ tookMs }) => tookMs))).toBeLessThan(AWAY_MS);
  const stored = await everythingOf(log);
  for (let partition = 0; partition < log.partitions; partition++) {
    const mine = told.filter((one) => one.partition === partition).map(({ text }) => text);
    const firsts = mine.map((text) => stored.indexOf(text));
    expect(firsts).not.toContain(-1);
    expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
  }
});

async function everythingOf(log: Awaited<ReturnType<typeof openNatsLog>>): Promise<string[]> {
  const lasts = new Map<number, number>();
  for (let partition = 0; partition < log.partitions; partition++)
    lasts.set(partition, (await log.bounds(partition)).last);
  const reading = new AbortController();
  const texts: string[] = [];
  const from = new Map([...lasts.keys()].map((partition) => [partition, 0]));
  for await (const entries of log.read(from, reading.signal)) {
    for (const { partition, sequence, body } of entries) {
      texts.push(new TextDecoder().decode(body));
      if (sequence >= (lasts.get(partition) ?? 0)) lasts.delete(partition);
    }
    if (lasts.size === 0) reading.abort();
  }
  return texts;
}
