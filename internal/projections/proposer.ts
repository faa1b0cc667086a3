import type { Detection } from "../pipeline/output.ts";

/** Detections waiting for the trips store; beyond, the oldest is dropped and counted: a later phase of the trip supersedes it. */
const MAX_QUEUED = 10_000;

/**
 * Proposes detected phases to the trips store, one after the other, off the hot loop. A refusal (the trip changed, or an
 * explicit status won) is an answer, not a fault.
 * @param propose compare-and-set on the trips store
 * @param failed told of what could not be proposed
 */
export function createProposer(
  propose: (detection: Detection) => Promise<unknown>,
  failed: (detection: Detection, error: unknown) => void,
): { offer(detection: Detection): void; idle(): Promise<void> } {
  const queue: Detection[] = [];
  let running: Promise<void> | undefined;
  const run = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      try {
        await propose(next);
      } catch (error) {
        failed(next, error);
      }
    }
    running = undefined;
  };
  return {
    offer(detection) {
      queue.push(detection);
      if (queue.length > MAX_QUEUED)
        failed(queue.shift()!, new Error("too many detections wait for the trips store"));
      running ??= run();
    },
    idle: () => running ?? Promise.resolve(),
  };
}
