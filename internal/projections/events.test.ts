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

const SILENT = pino({ level: "silent" });

test("what has not happened reads 0, of the region at once and of a partition from when it is taken", async () => {
  const registry = new Registry();
  const metrics = projectionMetrics(registry);
  const events = new ProjectionEvents({ metrics, region: "se1", logger: SILENT, clock: { now: () => 0 } });
  expect(await registry.metrics()).toContain('bimride_latest_lost_total{region="se1"} 0');
  expect(await registry.metrics()).toContain('bimride_detections_waiting{region="se1"} 0');
  events.taken("live", 3, 0, 5);
  const text = await registry.metrics();
  const partition = 'region="se1",projection="live",partition="3"';
  for (const series of [
    `bimride_projection_stopped{${partition}}`,
    `bimride_projection_gap_entries_total{${partition}}`,
    'bimride_latest_refused_total{region="se1",partition="3"}',
    'bimride_projection_stopped_total{region="se1",projection="live",code="CURSOR_TOO_OLD"}',
    'bimride_projection_started_anew_total{region="se1",projection="live"}',
  ])
    expect(text).toContain(`${series} 0`);
});

test("a projection that stops as a whole shows all its partitions, until they go on", async () => {
  const registry = new Registry();
  const metrics = projectionMetrics(registry);
  const events = new ProjectionEvents({ metrics, region: "se1", logger: SILENT, clock: { now: () => 0 } });
  for (const partition of [3, 4]) events.taken("history", partition, 0, 5);
  const stopped = async () =>
    [...(await registry.metrics()).matchAll(/projection_stopped\{.*partition="(\d)"\} (\d)/g)].map(
      ([, partition, value]) => `${partition}: ${value}`,
    );
  events.stopped("history", "INTERNAL");
  expect(await stopped()).toEqual(["3: 1", "4: 1"]);
  events.goesOn("history", [3]);
  expect(await stopped()).toEqual(["3: 0", "4: 1"]);
});
