import type { WatchTarget, WatchTripsResponse } from "../../gen/bimride/tracking/v1/live_pb.ts";

/** Ways to watch, best first. */
export type TransportName = "stream" | "websocket" | "polling";

/** What a transport needs for one session. */
export type WatchRequest = {
  /** 1 to 20 trips, each with the version to resume after. */
  targets: WatchTarget[];
  /** Gives a token that is good now. A stream asks once, polling before every request. */
  token(): Promise<string>;
  /** Ends the session; the iterable then ends or throws, soon. */
  signal: AbortSignal;
};

/**
 * PORT: one way to watch trips. Implementations must ensure: messages of one session come in the server's order;
 * nothing is buffered without bound; every failure is thrown as a {@link WatchFailure}; the iterable ends when the
 * server ends the watch in order; nothing is retried inside (the ladder does that).
 */
export interface Transport {
  readonly name: TransportName;
  /** Starts a session. Nothing happens before the first `next()`. */
  open(request: WatchRequest): AsyncIterable<WatchTripsResponse>;
  /**
   * Extends a running watch by a fresh token. Returns its new end, milliseconds since 1970 by the server's clock.
   * Absent where the session must be opened anew instead.
   */
  refresh?(watchId: string, token: string, signal: AbortSignal): Promise<number>;
}

/** Why a session failed. */
export class WatchFailure extends Error {
  override readonly name = "WatchFailure";
  /** True when another token may help. */
  readonly unauthenticated: boolean;

  constructor(message: string, options: { unauthenticated?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.unauthenticated = options.unauthenticated ?? false;
  }
}
