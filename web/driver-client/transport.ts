import type {
  PublishBatchRequest,
  PublishBatchResponse,
  PublishRequest,
  PublishResponse,
} from "../../gen/bimride/tracking/v1/ingest_pb.ts";

/** Ways to send. */
export type DriverTransportName = "grpc" | "websocket" | "http";

/** How a stream ended. */
export type StreamEnd = {
  /** A code of docs/ERRORS.md; empty when it was ended in order, CONNECTION_LOST when nobody said why. */
  code: string;
};

/** Where a stream that broke without a word leaves its end. */
export const CONNECTION_LOST = "CONNECTION_LOST";

export type OpenStream = {
  token: string;
  /** Messages in the gateway's order. */
  onMessage(message: PublishResponse): void;
  /** Called once, never before `open` returned; nothing is called afterwards. */
  onEnd(end: StreamEnd): void;
};

/** An open stream. */
export interface DriverStream {
  /** Hands a message over; what is sent after the end is lost, and never throws. */
  send(message: PublishRequest): void;
  /** Ends it in order: what was sent is answered first, if that takes not too long. */
  close(): void;
  /** Breaks it off without a word; it ends at once. */
  cut(): void;
}

/**
 * PORT: one way to one gateway. Implementations must ensure: nothing is retried inside (the ladder does that), messages keep
 * their order, every failure is an end with a code.
 */
export interface DriverTransport {
  readonly name: DriverTransportName;
  /**
   * False where there is no connection: a Welcome comes with the first answer only, one batch may be under way at a time,
   * and what comes down a stream by itself (offers, Superseded) does not come.
   */
  readonly isStream: boolean;
  open(options: OpenStream): DriverStream;
  /** One batch without a stream. Rejects with a {@link BatchFailure}. Absent where there is no such thing. */
  publishBatch?(
    request: PublishBatchRequest,
    token: string,
    signal: AbortSignal,
  ): Promise<PublishBatchResponse>;
}

/** Why a batch got no answer. */
export class BatchFailure extends Error {
  override readonly name = "BatchFailure";
  /** A code of docs/ERRORS.md, or CONNECTION_LOST. */
  readonly code: string;

  constructor(code: string, options?: ErrorOptions) {
    super(`the batch was not taken: ${code}`, options);
    this.code = code;
  }
}
