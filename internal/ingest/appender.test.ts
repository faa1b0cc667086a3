import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { BimrideError } from "../core/errors.ts";
import { DEFAULT_LIMITS, type Limits } from "../core/limits.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import { decodeEntry } from "../eventlog/codec.ts";
import type { EventLog } from "../eventlog/log.ts";
import type { EntryContent, LogRecord } from "../eventlog/record.ts";
import { createTelemetry } from "../telemetry/create-telemetry.ts";
import { Appender } from "./appender.ts";
import { IngestEvents } from "./events.ts";
import { Outlet } from "./outlet.ts";

/** A log that stores at once and can be made to fail: what is tested here is what reaches it, and when. */
class RecordingLog implements Pick<EventLog, "region" | "append"> {
  readonly region = "test";
  readonly entries: { partition: number; content: EntryContent; bytes: number }[] = [];
  failure: BimrideError | undefined;

  async append(partition: number, body: Uint8Array): Promise<number> {
    if (this.failure) throw this.failure;
    return this.entries.push({ partition, content: decodeEntry(body), bytes: body.byteLength });
  }
}

function make(limits: Partial<Limits> = {}) {
  const log = new RecordingLog();
  const clock = new VirtualClock(1_000);
  const { logger } = createTelemetry({ role: "test", level: "silent", processMetrics: false });
  const events = new IngestEvents({ logger, registry: new Registry() });
  const appender = new Appender({
    outlet: new Outlet({ log: log as unknown as EventLog, spool: undefined, ioClock: clock, onDrained() {} }),
    ioClock: clock,
    limits: { ...DEFAULT_LIMITS, ...limits },
    events,
  });
  return { log, clock, appender };
}

function batch(fixes: number, id = "driver-1"): LogRecord {
  const one = (seq: number) => ({
    ...{ seq, capturedAtMs: 5, latDeg: 57, lonDeg: 12, accuracyM: 5, speedMps: 10, headingDeg: 90 },
    ...{ altitudeM: 40, source: "gnss" as const, mock: false },
  });
  return {
    ...{ kind: "fixBatch", party: { kind: "driver", id }, sessionId: "session-1", sessionEpoch: 1 },
    ...{ receivedAtMs: 10, clockOffsetMs: 0, fixes: Array.from({ length: fixes }, (_, seq) => one(seq)) },
  };
}

test("what comes in one turn of the event loop shares an entry per partition, without any wait on the clock", async () => {
  const { log, appender } = make();
  const parent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
  const fates = await Promise.all([
    appender.append(3, batch(1), ""),
    appender.append(3, batch(2), parent),
    appender.append(4, batch(1), ""),
  ]);
  expect(fates).toEqual([1, 1, 2].map((sequence) => ({ in: "log", sequence })));
  expect(log.entries.map(({ partition, content }) => [partition, content.records.length])).toEqual([
    [3, 2],
    [4, 1],
  ]);
  expect(log.entries[0]?.content).toMatchObject({ region: "test", traceparent: parent });
  expect(appender.pendingBytes).toBe(0);
});

test("an entry never holds more than its bounds, and the order of a partition is kept", async () => {
  const { log, appender } = make();
  const sizes = Array.from({ length: 60 }, (_, i) => ((i * 37) % 100) + 1);
  await Promise.all(sizes.map((size) => appender.append(0, batch(size), "")));
  const counts = log.entries.map(({ content }) =>
    content.records.map((record) => (record.kind === "fixBatch" ? record.fixes.length : 0)),
  );
  expect(counts.flat()).toEqual(sizes);
  for (const entry of counts) expect(entry.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(100);
  for (const { bytes } of log.entries) expect(bytes).toBeLessThanOrEqual(DEFAULT_LIMITS.maxEntryBytes);
});

test("a busy gateway lingers 5 ms, a loaded one 10, a full entry not at all", async () => {
  const { log, clock, appender } = make();
  const busy = async (perWindow: number) => {
    const all = Array.from({ length: perWindow }, () => appender.append(1, batch(1), ""));
    clock.advanceTo(clock.now() + 250);
    await Promise.all(all);
  };
  await busy(200);
  const before = log.entries.length;
  const lingering = appender.append(2, batch(1), "");
  clock.advanceTo(clock.now() + 4);
  await new Promise(setImmediate);
  expect(log.entries).toHaveLength(before);
  clock.advanceTo(clock.now() + 1);
  await lingering;
  const full = appender.append(2, batch(100), "");
  await full;
  await busy(5_000);
  const loaded = appender.append(2, batch(1), "");
  const lastEntries = log.entries.length;
  clock.advanceTo(clock.now() + 9);
  await new Promise(setImmediate);
  expect(log.entries).toHaveLength(lastEntries);
  clock.advanceTo(clock.now() + 1);
  await loaded;
});

test("beyond maxPendingLogBytes appends are refused with LOG_UNAVAILABLE, and taken again once there is room", async () => {
  const { appender } = make({ maxPendingLogBytes: 10_000 });
  const results = await Promise.allSettled(
    Array.from({ length: 5 }, () => appender.append(0, batch(100), "")),
  );
  expect(results.map(({ status }) => status)).toEqual([
    ...Array(3).fill("fulfilled"),
    ...Array(2).fill("rejected"),
  ]);
  expect((results[4] as PromiseRejectedResult).reason).toMatchObject({ code: "LOG_UNAVAILABLE" });
  await appender.append(0, batch(100), "");
});

test("a refused entry is refused to all who are in it, with the log's own code", async () => {
  const { log, appender } = make();
  log.failure = new BimrideError("LOG_FULL");
  const results = await Promise.allSettled([
    appender.append(0, batch(1), ""),
    appender.append(0, batch(2), ""),
  ]);
  for (const result of results)
    expect(result).toMatchObject({ status: "rejected", reason: { code: "LOG_FULL" } });
  expect(appender.pendingBytes).toBe(0);
});
