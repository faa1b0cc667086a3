import { Code, ConnectError, type Transport as ConnectTransport, createClient } from "@connectrpc/connect";
import {
  type Car,
  FleetService,
  type WatchViewportResponse,
} from "../../gen/bimride/tracking/v1/fleet_pb.ts";
import { createBackoff } from "./backoff.ts";
import { createTokenKeeper } from "./token-keeper.ts";
import { connectTransportTo } from "./transports/stream.ts";
import { deviceClock, pause, type WatchClock } from "./watch-clock.ts";

/** Degrees. west > east crosses the 180th meridian. */
export type ViewportRect = { southDeg: number; westDeg: number; northDeg: number; eastDeg: number };

export type ViewportState = {
  /** By driver id. The map is the same object all along: read it, do not keep it. */
  cars: ReadonlyMap<string, Car>;
  /** True when there are more cars than asked for. */
  truncated: boolean;
  /** False while nothing is heard from the server. */
  connected: boolean;
};

export type ViewportWatcherOptions = {
  baseUrl: string;
  /** Of role ops or support. */
  token: () => Promise<string>;
  viewport: ViewportRect;
  /** 1 to 5,000; 1,000 by default. More cars than that are never kept. */
  maxCars?: number;
  onChange(state: ViewportState): void;
  /** Silence after which a stream is dead, milliseconds; 45,000 by default: an empty city says little. */
  silenceLimitMs?: number;
  clock?: WatchClock;
  random?: () => number;
  /** For tests. */
  transport?: ConnectTransport;
};

/** Watches all cars of a rectangle (FleetService.WatchViewport), reconnecting until closed. */
export function createViewportWatcher(options: ViewportWatcherOptions) {
  const { clock = deviceClock, random = Math.random, maxCars = 1_000, silenceLimitMs = 45_000 } = options;
  const client = createClient(FleetService, options.transport ?? connectTransportTo(options.baseUrl));
  const tokens = createTokenKeeper(options.token, clock);
  const backoff = createBackoff(random);
  const closing = new AbortController();
  const cars = new Map<string, Car>();
  let viewport = options.viewport;
  let session = new AbortController();
  let truncated = false;
  let serverOffsetMs = 0;

  const tell = (connected: boolean) => {
    if (!closing.signal.aborted) options.onChange({ cars, truncated, connected });
  };
  function take(message: WatchViewportResponse): void {
    if (message.snapshot) cars.clear();
    for (const car of message.cars)
      if (cars.size < maxCars || cars.has(car.driverId)) cars.set(car.driverId, car);
    for (const driverId of message.goneDriverIds) cars.delete(driverId);
    truncated = message.truncated;
    serverOffsetMs = Number(message.serverTimeMs) - clock.now();
    tell(true);
  }
  async function watchOnce(signal: AbortSignal, onMessage: () => void): Promise<void> {
    const { southDeg, westDeg, northDeg, eastDeg } = viewport;
    const stream = client.watchViewport(
      {
        viewport: {
          southWest: { latitudeDeg: southDeg, longitudeDeg: westDeg },
          northEast: { latitudeDeg: northDeg, longitudeDeg: eastDeg },
        },
        maxCars,
      },
      { headers: { authorization: `Bearer ${await tokens.get()}` }, signal },
    );
    for await (const message of stream) {
      onMessage();
      take(message);
    }
  }
  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      const mine = new AbortController();
      session = mine;
      let cancelSilence = clock.after(silenceLimitMs, () => mine.abort());
      const onMessage = () => {
        backoff.reset();
        cancelSilence();
        cancelSilence = clock.after(silenceLimitMs, () => mine.abort());
      };
      try {
        await watchOnce(mine.signal, onMessage);
      } catch (error) {
        // Every failure is answered by another attempt; `connected: false` shows it.
        if (ConnectError.from(error).code === Code.Unauthenticated) tokens.forget();
      }
      cancelSilence();
      if (movedOn === mine) continue;
      tell(false);
      await pause(clock, backoff.next(), closing.signal);
    }
  }
  /** The session that ended because the map was moved: its successor starts at once. */
  let movedOn: AbortController | undefined;
  let cancelMove: () => void = () => {};

  void run();
  return {
    /** Looks at another rectangle; calls in quick succession count once. */
    setViewport(rect: ViewportRect): void {
      viewport = rect;
      cancelMove();
      cancelMove = clock.after(400, () => {
        movedOn = session;
        session.abort();
      });
    },
    /** Server time now as estimated, milliseconds since 1970. */
    serverNow: () => clock.now() + serverOffsetMs,
    close(): void {
      closing.abort();
      cancelMove();
      session.abort();
    },
  };
}
