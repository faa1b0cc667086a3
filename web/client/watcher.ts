import { create } from "@bufbuild/protobuf";
import {
  type WatchTarget,
  WatchTargetSchema,
  type WatchTripsResponse,
} from "../../gen/bimride/tracking/v1/live_pb.ts";
import { type Connection, describeConnection } from "./connection.ts";
import { createLadder, type LadderTimes } from "./ladder.ts";
import { createPlaces, locateAt, placedTransports } from "./placed.ts";
import { createTokenKeeper } from "./token-keeper.ts";
import type { Transport } from "./transport.ts";
import { pollingTransport } from "./transports/polling.ts";
import { connectTransportTo, streamTransport } from "./transports/stream.ts";
import { websocketTransport } from "./transports/websocket.ts";
import { TripBook, type TripState, type TripStateChange } from "./trip-book.ts";
import { deviceClock, type WatchClock } from "./watch-clock.ts";

export type WatcherOptions = {
  /** Origin of the edge, e.g. `https://live.example.com`. */
  baseUrl: string;
  /** 1 to 20 trip ids. */
  tripIds: readonly string[];
  /** Gives a fresh token; called again before one expires and after one is refused. */
  token: () => Promise<string>;
  /**
   * Asks the edge at `baseUrl` which edge to use and watches there, so that the viewers of a trip meet on one; goes to
   * `baseUrl` when that one fails. Off by default: a page may call its own origin only, unless the edges allow it
   * (`http.origins`) and the page's content security policy too.
   */
  locate?: boolean;
  /** Ways to watch, best first; by default Connect stream, WebSocket, polling. */
  transports?: readonly Transport[];
  /** The server's heartbeat, milliseconds; 15,000 by default. */
  heartbeatMs?: number;
  times?: Partial<LadderTimes>;
  clock?: WatchClock;
  /** Numbers from 0 up to, not including, 1. */
  random?: () => number;
};

export type TripListener = (state: TripState, change: TripStateChange) => void;

/** Watches trips until closed. Iterating gives the newest state of each trip that changed; slow readers skip states. */
export type Watcher = AsyncIterable<TripState> & {
  /** The newest state per trip. */
  readonly states: ReadonlyMap<string, TripState>;
  /** Calls the listener now with what is known and with every change. Returns how to leave. */
  subscribe(listener: TripListener): () => void;
  /** To be called when the network is back or the page is seen again: tries at once instead of waiting. */
  wake(): void;
  /** Server time now as estimated, milliseconds since 1970. */
  serverNow(): number;
  /** Ends everything. No listener is called afterwards. */
  close(): void;
};

/** The usual ways to reach a server, best first. */
export function defaultTransports(baseUrl: string, clock: WatchClock = deviceClock): Transport[] {
  return [
    streamTransport(connectTransportTo(baseUrl)),
    websocketTransport(baseUrl),
    pollingTransport(baseUrl, clock),
  ];
}

function transportsOf({ baseUrl, locate }: WatcherOptions, clock: WatchClock): Transport[] {
  if (!locate) return defaultTransports(baseUrl, clock);
  const places = createPlaces({ baseUrl, locate: locateAt(connectTransportTo(baseUrl)), clock });
  return placedTransports((url) => defaultTransports(url, clock), places);
}

/** Times that suit a page; see {@link LadderTimes}. */
export function defaultTimes(heartbeatMs: number): LadderTimes {
  return {
    connectTimeoutMs: 3_000,
    patientTimeoutMs: 10_000,
    silenceLimitMs: heartbeatMs * 2 + 2_000,
    probeBaseMs: 15_000,
    probeCapMs: 300_000,
  };
}

/** Starts to watch. Throws a RangeError for no trip or more than 20. */
export function createWatcher(options: WatcherOptions): Watcher {
  const { tripIds, clock = deviceClock, random = Math.random, heartbeatMs = 15_000 } = options;
  if (tripIds.length < 1 || tripIds.length > 20) throw new RangeError("a watcher watches 1 to 20 trips");
  const book = new TripBook(tripIds, clock);
  const ladder = createLadder({
    rungs: options.transports ?? transportsOf(options, clock),
    tokens: createTokenKeeper(options.token, clock),
    clock,
    random,
    times: { ...defaultTimes(heartbeatMs), ...options.times },
    targets: () => book.openTrips().map(targetOf),
    onMessage,
    onConnection: (transport, reason) => book.setConnection(transport, reason),
  });
  const targetOf = (state: TripState): WatchTarget =>
    create(WatchTargetSchema, { tripId: state.tripId, resumeAfter: state.version });

  /** A trip that is not to be had now may be soon; one timer at most. */
  let cancelReopen: (() => void) | undefined;
  function onMessage(response: WatchTripsResponse): void {
    const { message } = response;
    book.take(response);
    if (message.case !== "unavailable" || !message.value.retryable || cancelReopen) return;
    cancelReopen = clock.after(3_000 + random() * 5_000, () => {
      cancelReopen = undefined;
      ladder.reopen();
    });
  }

  let closed = false;
  void ladder.run().then(() => book.rest());
  return {
    states: book.states,
    subscribe: (listener) => book.subscribe(listener),
    wake: () => ladder.wake(),
    serverNow: () => book.serverNow(),
    close() {
      if (closed) return;
      closed = true;
      cancelReopen?.();
      book.close();
      ladder.close();
    },
    [Symbol.asyncIterator]: () => book.iterate(),
  };
}
export type { Connection, LadderTimes, Transport, TripState, TripStateChange };
export { describeConnection };
