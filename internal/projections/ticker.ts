import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import { encodeEntry } from "../eventlog/codec.ts";
import type { EventLog } from "../eventlog/log.ts";
import type { PartitionState } from "../pipeline/state.ts";

/**
 * Lets pipeline time go on in silent partitions: appends a Tick when nothing came for tickAfterMs while something waits
 * for time. A partition where nothing waits costs nothing. Runs beside the owner of the partitions.
 * @param waits true while something in the partition waits for time
 * @returns stops it
 */
export function startTicker(
  deps: { log: EventLog; clock: Clock; limits: Limits; failed(error: unknown): void },
  states: readonly PartitionState[],
  waits: (state: PartitionState) => boolean,
): () => void {
  const { log, clock, limits } = deps;
  const underWay = new Set<number>();
  return clock.every(limits.tickAfterMs, () => {
    const now = clock.now();
    for (const state of states) {
      if (underWay.has(state.partition) || now - state.pipelineTimeMs < limits.tickAfterMs || !waits(state))
        continue;
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
