import { JetStreamApiError } from "@nats-io/jetstream";
import { EngineError } from "../core/engine-error.ts";

/** Error codes of the JetStream API: too few servers for so many copies. */
const REPLICAS_CODES = new Set([10_005, 10_074]);
/** No room for a stream like that. */
const STORAGE_CODES = new Set([10_002, 10_023, 10_028, 10_047]);

/**
 * What it means for a start that a bucket can't be had.
 * @param what the bucket, in words, e.g. `the bucket LEASES_got`
 */
export function startProblem(what: string, cause: unknown): EngineError {
  if (cause instanceof EngineError) return cause;
  const code = cause instanceof JetStreamApiError ? cause.code : 0;
  if (REPLICAS_CODES.has(code))
    return new EngineError("nats.replicas", `too few NATS servers for so many copies of ${what}`, { cause });
  if (STORAGE_CODES.has(code))
    return new EngineError("nats.servers", `the NATS servers have no memory for ${what}`, { cause });
  const why = cause instanceof Error ? cause.message : "unknown";
  return new EngineError("nats.servers", `${what} can't be had: ${why}`, { cause });
}
