import { asBimrideError } from "../core/errors.ts";
import { type Clock, sleep } from "../core/time.ts";
import type { Detection } from "../pipeline/output.ts";

/** Detections waiting for the trips store; beyond, the oldest is dropped and counted: a later phase of the trip supersedes it. */
const MAX_QUEUED = 10_000;
/** Pause after the trips store was away; the detection waits meanwhile. */
const RETRY_MS = 1_000;

/**
 * Proposes detected phases to the trips store, one after the other, off the hot loop. A refusal (the trip changed, or an
 * explicit status won) is an answer, not a fault. While the store is away detections wait, in order, until `idle`: then
 * each gets at most one more try.
 * @param propose compare-and-set on the trips store
 * @param failed told of what could not be proposed
 */
export function createProposer(
  propose: (detection: Detection) => Promise<unknown>,
  failed: (detection: Detection, error: unknown) => void,
  clock: Clock,
): { offer(detection: Detection): void; idle(): Promise<void> } {
  const queue: Detection[] = [];
  const ending = new AbortController();
  let running: Promise<void> | undefined;
  /** False when the same detection is to be tried again. */
  const isDone = async (next: Detection): Promise<boolean> => {
    try {
      await propose(next);
    } catch (error) {
      if (asBimrideError(error).retryable && !ending.signal.aborted) {
        await sleep(clock, RETRY_MS, ending.signal);
        return false;
      }
      failed(next, error);
      // The store is away and the process ends: one timeout is enough for all.
      if (asBimrideError(error).retryable) for (const each of queue.splice(1)) failed(each, error);
    }
    return true;
  };
  const run = async () => {
    for (let next = queue[0]; next; next = queue[0]) {
      if (await isDone(next)) queue.shift();
    }
    running = undefined;
  };
  return {
    offer(detection) {
      queue.push(detection);
      // The first is under way.
      if (queue.length > MAX_QUEUED + 1)
        failed(queue.splice(1, 1)[0]!, new Error("too many detections wait for the trips store"));
      running ??= run();
    },
    idle() {
      ending.abort();
      return running ?? Promise.resolve();
    },
  };
}
