import { setTimeout as sleep } from "node:timers/promises";
import type { Probe } from "./engine.ts";

const PAUSE_MS = 30;

/**
 * Probes until it answers.
 * @param failed looked at between two tries: throws when waiting is in vain
 * @returns the server's version
 * @throws with the last probe's error when it took too long
 */
export async function untilServed(
  probe: Probe,
  host: string,
  port: number,
  timeoutMs: number,
  failed: () => void = () => undefined,
): Promise<string> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    failed();
    try {
      return await probe(host, port);
    } catch (error) {
      if (performance.now() > deadline) {
        throw new Error(`nothing serves at ${host}:${port} after ${timeoutMs} ms`, { cause: error });
      }
    }
    await sleep(PAUSE_MS);
  }
}
