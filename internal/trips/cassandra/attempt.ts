import { randomBytes } from "node:crypto";
import { types } from "cassandra-driver";
import type { Clock } from "../../core/time.ts";

/** One try of a put: names what it wrote, and when it began. */
export type Attempt = types.TimeUuid;

const TICKS_PER_MS = 10_000;

/** A source of attempts, each later than the one before, that no other source gives out. */
export function attemptSource(clock: Clock): () => Attempt {
  const node = randomBytes(6);
  const clockId = randomBytes(2);
  let lastMs = 0;
  let ticks = 0;
  return () => {
    const nowMs = Math.round(clock.now());
    if (nowMs > lastMs) {
      lastMs = nowMs;
      ticks = 0;
    } else if (++ticks === TICKS_PER_MS) {
      lastMs++;
      ticks = 0;
    }
    return types.TimeUuid.fromDate(new Date(lastMs), ticks, node, clockId);
  };
}

/** When the attempt began, milliseconds since 1970. */
export function beganAtMs(attempt: Attempt): number {
  return attempt.getDate().getTime();
}
