import { partitionOf } from "../core/ids.ts";
import { sleep, systemClock } from "../core/time.ts";
import { encodeEntry } from "../eventlog/codec.ts";
import type { EventLog } from "../eventlog/log.ts";
import type { LogRecord } from "../eventlog/record.ts";
import { batchOf, fixOf, LIMITS, T0, tripOf } from "../pipeline/test-drives.ts";

const PARTITIONS = LIMITS.partitions;
/** One driver with a running trip in each partition. */
export const DRIVERS = Array.from({ length: PARTITIONS }, (_, partition) => {
  const names = Array.from({ length: 60 }, (_, i) => `driver-${i}`);
  return names.find((id) => partitionOf({ kind: "driver", id }, PARTITIONS) === partition)!;
});
const FIX_EVERY_MS = 20;

/** Every driver gets a trip and drives until it is stopped; stopping tells how many fixes of each are in the log. */
export function startTraffic(log: EventLog, region: string) {
  const appended = DRIVERS.map(() => 0);
  let stopped = false;
  const append = async (partition: number, record: LogRecord) => {
    const body = encodeEntry({ region, traceparent: "", records: [record] });
    await log.append(partition, body);
  };
  const drive = async (driverId: string, partition: number) => {
    const trip = tripOf({
      ...{ tripId: `got-${String(partition).padStart(26, "0")}`, region, driverId },
      assignments: [{ driverId, fromMs: T0, toMs: 0 }],
    });
    await append(partition, { kind: "tripChange", receivedAtMs: T0, trip });
    for (let seq = 0; !stopped; seq++) {
      const atMs = T0 + 1_000 * (seq + 1);
      const party = { kind: "driver" as const, id: driverId };
      await append(partition, batchOf(atMs, [fixOf(seq, atMs - 50, seq % 600)], { party }));
      appended[partition] = seq + 1;
      await sleep(systemClock, FIX_EVERY_MS);
    }
  };
  const running = Promise.all(DRIVERS.map(drive));
  return {
    async stop(): Promise<number[]> {
      stopped = true;
      await running;
      return appended;
    },
  };
}
