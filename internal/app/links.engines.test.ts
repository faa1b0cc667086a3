import { pino } from "pino";
import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { startNats } from "../../test/kit/engines/nats.ts";
import { startRedis } from "../../test/kit/engines/redis.ts";
import { loadSettings } from "../config/settings.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import { systemClock as clock } from "../core/time.ts";
import { BusEvents } from "../live/bus-events.ts";
import { ChangeMaker } from "../live/kit.ts";
import { ENGINES } from "./engines.ts";
import { linksOf, type Share } from "./links.ts";

/** What a process sees of a region whose servers are these; links live as long as the stack. */
function regionWith(stack: AsyncDisposableStack, env: Record<string, string>) {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ level: "warn" }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const registry = new Registry();
  const settings = loadSettings({ BIMRIDE_ENGINES: "real", ...env }, []);
  const share: Share = async (_key, open) => stack.use(await open());
  const nodeId = "bimride-test";
  const links = linksOf({}, { settings, nodeId, clock, share, logger });
  const kept = () => {
    throw new Error("nothing is kept");
  };
  const context = {
    ...{ settings, limits: DEFAULT_LIMITS, region: "se1", path: kept, sharedPath: kept },
    ...{ share, links, nodeId, clock, logger, busEvents: new BusEvents({ logger, registry }).of("se1") },
  };
  return { lines, registry, links, context };
}

describe("servers that go away", () => {
  test("what the live bus drops is counted and logged", async () => {
    await using server = await startNats();
    await using stack = new AsyncDisposableStack();
    const { lines, registry, context } = regionWith(stack, { BIMRIDE_NATS_SERVERS: server.address });
    const bus = stack.use(await ENGINES.bus.real(context));
    const maker = new ChangeMaker("se1-0000000000000000000000000a");
    await server.kill("SIGKILL");
    await expect
      .poll(() => {
        bus.publish(maker.move(1));
        return registry.metrics();
      })
      .toMatch(/bimride_bus_dropped_total\{region="se1"\} [1-9]/);
    expect(lines.map(({ msg }) => msg)).toContain("live bus away or full: messages are dropped");
  });

  test("a connection to Redis that fails is logged", async () => {
    await using server = await startRedis();
    await using stack = new AsyncDisposableStack();
    const { lines, links } = regionWith(stack, { BIMRIDE_REDIS_NODES: server.address });
    const link = await links.redis();
    await server.kill("SIGKILL");
    await expect.poll(() => lines.length).toBeGreaterThan(0);
    expect(lines[0]).toMatchObject({ level: 40, msg: "connection to Redis failed", err: {} });
    expect(link.ready).toBe(false);
    expect(lines).toHaveLength(1);
  });
});
