import { pino } from "pino";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { BusEvents } from "./bus-events.ts";

test("every dropped message counts, by region, and one line in 10 s says so", async () => {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ level: "warn" }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const registry = new Registry();
  let nowMs = 0;
  const events = new BusEvents({ logger, registry }, { monotonic: () => nowMs });
  const [north, south] = [events.of("north"), events.of("south")];
  for (let n = 0; n < 3; n++) north.dropped();
  expect(lines).toEqual([expect.objectContaining({ region: "north" })]);
  nowMs = 10_000;
  north.dropped();
  expect(lines).toHaveLength(2);
  const text = await registry.metrics();
  expect(text).toContain('bimride_bus_dropped_total{region="north"} 4');
  expect(text).toContain('bimride_bus_dropped_total{region="south"} 0');
  south.dropped();
  expect(lines).toHaveLength(3);
});
