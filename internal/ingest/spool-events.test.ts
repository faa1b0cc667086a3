import { pino } from "pino";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { systemClock } from "../core/time.ts";
import { IngestEvents } from "./events.ts";
import { SpoolEvents } from "./spool-events.ts";

const logger = pino({ level: "silent" });

test("what no spool had to do yet reads 0, by region", async () => {
  const registry = new Registry();
  new SpoolEvents({ logger, registry }, systemClock).of("se1");
  const text = await registry.metrics();
  for (const series of [
    'entries_total{region="se1"}',
    'damaged_entries_total{region="se1"}',
    'refused_entries_total{region="se1",code="LOG_FULL"}',
    'drain_refusals_total{region="se1",code="INTERNAL"}',
    'wait_seconds_count{region="se1"}',
  ])
    expect(text).toContain(`bimride_spool_${series} 0`);
});

test("verdicts that no fix got yet read 0, as do faults of ours", async () => {
  const registry = new Registry();
  new IngestEvents({ logger, registry });
  const text = await registry.metrics();
  expect(text).toContain('bimride_ingest_fixes_total{verdict="RATE_LIMITED"} 0');
  expect(text).toContain('bimride_ingest_problems_total{code="INTERNAL",transport="grpc"} 0');
});
