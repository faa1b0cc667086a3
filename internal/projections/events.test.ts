import { pino } from "pino";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { ProjectionEvents } from "./events.ts";
import { projectionMetrics } from "./metrics.ts";

test("regions of one process are told apart in every metric of projections and of the latest state", async () => {
  const registry = new Registry();
  const metrics = projectionMetrics(registry);
  const logger = pino({ level: "silent" });
  const eventsOf = (region: string) =>
    new ProjectionEvents({ metrics, region, logger, clock: { now: () => 1_000 } });
  const [north, south] = [eventsOf("north"), eventsOf("south")];
  const entry = { partition: 3, sequence: 1, loggedAtMs: 990, body: Uint8Array.of() };
  for (const events of [north, south]) {
    events.processed("live", [entry]);
    events.taken("live", 3, 0, 5);
    events.lag("live", 3, 7);
    events.refused(3, 2);
    events.lost();
    events.gap("live", { partition: 3, cursor: 1, first: 5, last: 9, lost: 4 });
    events.startedAnew("live", 3, 5);
  }
  north.released("live", 3);

  const samples = (await registry.metrics()).split("\n").filter((line) => line && !line.startsWith("#"));
  expect(samples.filter((line) => !/region="(north|south)"/.test(line))).toEqual([]);
  const owned = samples.filter((line) => line.startsWith("bimride_projection_owned"));
  expect(owned).toEqual(['bimride_projection_owned{region="south",projection="live",partition="3"} 1']);
  for (const name of ["bimride_latest_refused_total", "bimride_projection_gap_entries_total"])
    expect(samples.filter((line) => line.startsWith(name))).toHaveLength(2);
});

test("losses of the latest state read 0 before there was one", async () => {
  const registry = new Registry();
  const metrics = projectionMetrics(registry);
  new ProjectionEvents({
    metrics,
    region: "se1",
    logger: pino({ level: "silent" }),
    clock: { now: () => 0 },
  });
  expect(await registry.metrics()).toContain('bimride_latest_lost_total{region="se1"} 0');
});
