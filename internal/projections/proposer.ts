import { asBimrideError } from "../core/errors.ts";
import { partitionOf } from "../core/ids.ts";
import { type Clock, sleep } from "../core/time.ts";
import type { Detection } from "../pipeline/output.ts";

/** Trips that are proposed to the store at a time. */
const LANES = 4;
/**
 * Detections of one lane that wait for the trips store; beyond, the oldest is dropped and counted: a later phase of the
 * trip supersedes it.
 */
const MAX_QUEUED = 2_500;
/** Pause after the trips store was away; the detection waits meanwhile. */
const RETRY_MS = 1_000;

export type Proposer = {
  offer(detection: Detection): void;
  /** Detections whose proposal has not ended. */
  readonly waiting: number;
  /** Resolves when none waits any more. */
  idle(): Promise<void>;
};

/**
 * Proposes detected phases to the trips store off the hot loop, those of one trip one after the other. A refusal (the
 * trip changed, or an explicit status won) is an answer, not a fault. While the store is away detections wait, in order,
 * until `idle`: then each gets at most one more try.
 * @param propose compare-and-set on the trips store
 * @param failed told of what could not be proposed
 */
export function createProposer(
  propose: (detection: Detection) => Promise<unknown>,
  failed: (detection: Detection, error: unknown) => void,
  clock: Clock,
): Proposer {
  const lanes = Array.from({ length: LANES }, () => createLane(propose, failed, clock));
  return {
    offer: (detection) =>
      lanes[partitionOf({ kind: "driver", id: detection.tripId }, LANES)]!.offer(detection),
    get waiting() {
      return lanes.reduce((sum, lane) => sum + lane.waiting, 0);
    },
    async idle() {
      await Promise.all(lanes.map((lane) => lane.idle()));
    },
  };
}

function createLane(
  propose: (detection: Detection) => Promise<unknown>,
  failed: (detection: Detection, error: unknown) => void,
  clock: Clock,
): Proposer {
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
    get waiting() {
      return queue.length;
    },
    idle() {
      ending.abort();
      return running ?? Promise.resolve();
    },
  };
}
