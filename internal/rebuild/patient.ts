import { asBimrideError } from "../core/errors.ts";
import { type Clock, sleep } from "../core/time.ts";

const TRIES = 30;
const RETRY_MS = 1_000;

/** Does it again, up to half a minute, while a store is away. */
export async function patiently<T>(clock: Clock, task: () => Promise<T>): Promise<T> {
  for (let left = TRIES - 1; ; left--) {
    try {
      return await task();
    } catch (error) {
      if (left === 0 || !asBimrideError(error).retryable) throw error;
      await sleep(clock, RETRY_MS);
    }
  }
}
