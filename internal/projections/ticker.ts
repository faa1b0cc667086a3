import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import { encodeEntry } from "../eventlog/codec.ts";
import type { EventLog } from "../eventlog/log.ts";
import type { PartitionState } from "../pipeline/state.ts";

/**
 * Lets pipeline time go on in silent partitions: appends a Tick when nothing came for tickAfterMs while something waits
 * for time, and when nothing came for keepAliveTickMs anyway, so that no cursor grows older than what the log keeps. Runs
 * beside the owner of the partitions.
 * @param states the partitions at hand now
 * @param waits true while something in the partition waits for time
 * @returns stops it
 */
export function startTicker(
  deps: { log: EventLog; clock: Clock; limits: Limits; failed(error: unknown): void },
  states: () => readonly PartitionState[],
  waits: (state: PartitionState) => boolean,
): () => void {
  const { log, clock, limits } = deps;
  const underWay = new Set<number>();
  return clock.every(limits.tickAfterMs, () => {
    const now = clock.now();
    for (const state of states()) {
      const silentMs = now - state.pipelineTimeMs;
      const due =
        silentMs >= limits.tickAfterMs &&
        (waits(state) || (state.cursor > 0 && silentMs >= limits.keepAliveTickMs));
      if (!due || underWay.has(state.partition)) continue;
      underWay.add(state.partition);
      const body = encodeEntry({
        region: log.region,
        traceparent: "",
        records: [{ kind: "tick", receivedAtMs: now }],
      });
      void log
        .append(state.partition, body)
        .catch(deps.failed)
        .finally(() => underWay.delete(state.partition));
    }
  });
}
