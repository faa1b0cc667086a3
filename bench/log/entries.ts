import { Registry } from "prom-client";
import type { Fix } from "../../internal/core/fix.ts";
import { partitionOf } from "../../internal/core/ids.ts";
import { DEFAULT_LIMITS } from "../../internal/core/limits.ts";
import { VirtualClock } from "../../internal/core/virtual-clock.ts";
import type { EventLog } from "../../internal/eventlog/log.ts";
import { Appender } from "../../internal/ingest/appender.ts";
import { IngestEvents } from "../../internal/ingest/events.ts";
import { Outlet } from "../../internal/ingest/outlet.ts";
import { createTelemetry } from "../../internal/telemetry/create-telemetry.ts";

/** An entry of the log, encoded, on its way to a partition. */
export type Entry = { partition: number; body: Uint8Array };

export type EntryLoad = {
  region: string;
  parties: number;
  /** Offered to the gateway; decides how many share an entry. */
  fixesPerSecond: number;
  /** Entries wanted. */
  entries: number;
  /** Of the parties, so that runs differ. */
  name: string;
};

/** The gateway knows its rate only after a while; until then it makes entries as if it were idle. */
const SETTLING_MS = 1_000;

/**
 * Entries as a gateway makes them at the rate: one fix per message of a phone, coalesced per partition by the gateway's
 * own appender on a clock that is driven, encoded by its codec.
 */
export async function entriesOf(load: EntryLoad): Promise<Entry[]> {
  const clock = new VirtualClock(Date.now());
  const entries: Entry[] = [];
  let keeps = false;
  const log: Pick<EventLog, "region" | "partitions" | "append"> = {
    region: load.region,
    partitions: DEFAULT_LIMITS.partitions,
    async append(partition, body) {
      return keeps ? entries.push({ partition, body }) : 0;
    },
  };
  const { logger } = createTelemetry({ role: "bench", level: "silent", processMetrics: false });
  const appender = new Appender({
    outlet: new Outlet({ log: log as EventLog, spool: undefined, ioClock: clock, onDrained() {} }),
    ioClock: clock,
    limits: DEFAULT_LIMITS,
    events: new IngestEvents({ logger, registry: new Registry() }),
  });
  const startMs = clock.now();
  for (let sent = 0; entries.length < load.entries; sent++) {
    const dueMs = Math.floor(startMs + (sent * 1_000) / load.fixesPerSecond);
    if (dueMs > clock.now()) {
      clock.advanceTo(dueMs);
      // What was appended settles, so that no bound is met.
      await new Promise((resolve) => setImmediate(resolve));
      keeps = dueMs - startMs >= SETTLING_MS;
    }
    const party = { kind: "driver" as const, id: `${load.name}-${sent % load.parties}` };
    const fix = fixAt(Math.floor(sent / load.parties), sent, clock.now());
    const record = {
      ...{ kind: "fixBatch" as const, party, sessionId: "bench-session", sessionEpoch: startMs },
      ...{ receivedAtMs: clock.now(), clockOffsetMs: 0, fixes: [fix] },
    };
    void appender.append(partitionOf(party, DEFAULT_LIMITS.partitions), record, "");
  }
  return entries.slice(0, load.entries);
}

/** Numbers with as many digits as real ones. */
function fixAt(seq: number, salt: number, nowMs: number): Fix {
  const noise = (n: number) => ((Math.imul(salt + n, 2_654_435_761) >>> 0) % 100_000) / 100_000;
  return {
    ...{ seq, capturedAtMs: nowMs - 60, latDeg: 57.6 + noise(1) / 5, lonDeg: 11.8 + noise(2) / 5 },
    ...{ accuracyM: 3 + noise(3) * 10, speedMps: noise(4) * 20, headingDeg: noise(5) * 360 },
    ...{ altitudeM: noise(6) * 60, source: "gnss" as const, mock: false },
  };
}
