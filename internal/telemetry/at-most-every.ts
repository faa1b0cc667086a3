import type { Clock } from "../core/time.ts";

/** True at the first call, and again once so long has passed since it last was: for lines that would come by the thousand. */
export function atMostEvery(periodMs: number, clock: Pick<Clock, "monotonic">): () => boolean {
  let lastMs = Number.NEGATIVE_INFINITY;
  return () => {
    const nowMs = clock.monotonic();
    if (nowMs - lastMs < periodMs) return false;
    lastMs = nowMs;
    return true;
  };
}
