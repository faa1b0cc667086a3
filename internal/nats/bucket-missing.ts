import { JetStreamApiCodes, JetStreamApiError } from "@nats-io/jetstream";

/** True for an error that says: the bucket's stream is not there (any more), or nobody answers for it. */
export function isBucketMissing(error: unknown): boolean {
  return error instanceof JetStreamApiError
    ? error.code === JetStreamApiCodes.StreamNotFound
    : error instanceof Error && error.name === "JetStreamNotEnabled";
}
