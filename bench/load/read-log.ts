import { loadSettings } from "../../internal/config/settings.ts";
import { DEFAULT_LIMITS } from "../../internal/core/limits.ts";
import { decodeEntry } from "../../internal/eventlog/codec.ts";
import { openNatsLog } from "../../internal/eventlog/nats/log.ts";
import { connectNats } from "../../internal/nats/link.ts";

/**
 * How often each fix of drivers stands in the log of a deployment, by {@link fixKey}, from its first entry to the one that
 * is the last when this is called. @param servers host:port of the NATS servers
 */
export async function countFixesInLog(servers: readonly string[]): Promise<Map<string, number>> {
  const settings = loadSettings({}, []);
  const { partitions } = DEFAULT_LIMITS;
  await using link = await connectNats({ servers: [...servers], name: "bimride-log-reader" });
  await using log = await openNatsLog({
    ...{ link, region: settings.region, partitions, replicas: settings.natsReplicas },
    ...{ retentionMs: settings.logRetentionMs, maxBytes: settings.logMaxBytes, limits: DEFAULT_LIMITS },
  });
  const counts = new Map<string, number>();
  const open = new Map<number, number>();
  for (let partition = 0; partition < partitions; partition++) {
    const { last } = await log.bounds(partition);
    if (last > 0) open.set(partition, last);
  }
  if (open.size === 0) return counts;
  const reading = new AbortController();
  const from = new Map(Array.from({ length: partitions }, (_, partition) => [partition, 0] as const));
  for await (const entries of log.read(from, reading.signal)) {
    for (const { partition, sequence, body } of entries) {
      for (const record of decodeEntry(body).records) {
        if (record.kind !== "fixBatch" || record.party.kind !== "driver") continue;
        for (const { seq } of record.fixes) {
          const key = fixKey(record.party.id, record.sessionId, seq);
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
      }
      if (sequence >= (open.get(partition) ?? Number.POSITIVE_INFINITY)) open.delete(partition);
    }
    if (open.size === 0) reading.abort();
  }
  return counts;
}

/** A fix's name within the drivers. */
export function fixKey(driverId: string, sessionId: string, seq: number): string {
  return `${driverId} ${sessionId} ${seq}`;
}
