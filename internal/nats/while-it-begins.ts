import { JetStreamApiError } from "@nats-io/jetstream";
import { type Clock, sleep } from "../core/time.ts";

/** How long a start waits for servers that begin or elect a leader. */
const PATIENCE_MS = 10_000;
const PAUSE_MS = 200;
/** Error code of the JetStream API: temporarily unavailable. */
const NOT_NOW = 10_008;

/** Does it again for a while as long as the servers do not answer in time or can't do it yet. */
export async function whileItBegins<T>(
  clock: Pick<Clock, "monotonic" | "after">,
  open: () => Promise<T>,
): Promise<T> {
  const startedMs = clock.monotonic();
  for (;;) {
    try {
      return await open();
    } catch (error) {
      if (!isPassing(error) || clock.monotonic() - startedMs > PATIENCE_MS) throw error;
      await sleep(clock, PAUSE_MS);
    }
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof JetStreamApiError) return error.code === NOT_NOW;
  return error instanceof Error && error.name === "TimeoutError";
}
