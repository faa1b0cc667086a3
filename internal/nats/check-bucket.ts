import { jetstreamManager, type StreamInfo } from "@nats-io/jetstream";
import { systemClock } from "../core/time.ts";
import { findStream } from "./find-stream.ts";
import type { NatsLink } from "./link.ts";
import { startProblem } from "./start-problem.ts";
import { whileItBegins } from "./while-it-begins.ts";

/**
 * Looks at a bucket before a start makes anything, and makes nothing itself. Waits for servers that begin; rejects with an
 * EngineError.
 * @param stream the bucket's stream
 * @param refuse throws where the bucket was made otherwise
 */
export async function checkBucket(
  link: NatsLink,
  { name, stream, requestMs }: { name: string; stream: string; requestMs: number },
  refuse: (found: StreamInfo) => void,
): Promise<void> {
  try {
    const manager = await jetstreamManager(link.connection, { timeout: requestMs, checkAPI: false });
    const found = await whileItBegins(systemClock, () => findStream(manager, stream));
    if (found) refuse(found);
  } catch (cause) {
    throw startProblem(`the bucket ${name}`, cause);
  }
}
