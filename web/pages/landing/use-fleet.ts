import { useEffect, useRef, useState } from "preact/hooks";
import type { Car } from "../../../gen/bimride/tracking/v1/fleet_pb.ts";
import { createViewportWatcher, type ViewportRect } from "../../client/viewport-watcher.ts";
import type { TokenSource } from "../token-source.ts";

/** Looks at the whole demo city before a map says what it shows. */
const START: ViewportRect = { southDeg: 57.6, westDeg: 11.75, northDeg: 57.8, eastDeg: 12.2 };
/** Words and numbers change at most so often; the map takes every message. */
const WORDS_EVERY_MS = 1_000;

/** The cars of what the map shows. */
export type Fleet = {
  cars: number;
  /** Running trips among them, oldest first. */
  tripIds: string[];
  truncated: boolean;
  connected: boolean;
  wasConnected: boolean;
  /** All cars, for the map; the same object all along. */
  all(): ReadonlyMap<string, Car>;
  /** Server time now, milliseconds since 1970. */
  serverNow(): number;
  look(rect: ViewportRect): void;
};

/** Watches the fleet while there is a source of tokens. */
export function useFleet(token: TokenSource | undefined): Fleet {
  const [words, setWords] = useState({
    cars: 0,
    tripIds: [] as string[],
    truncated: false,
    connected: false,
  });
  const wasConnected = useRef(false);
  const watcher = useRef<ReturnType<typeof createViewportWatcher>>(undefined);
  const all = useRef<ReadonlyMap<string, Car>>(new Map());
  const hasToken = token !== undefined;
  useEffect(() => {
    if (!token) return;
    let saidAtMs = Number.NEGATIVE_INFINITY;
    let wasUp: boolean | undefined;
    const mine = createViewportWatcher({
      baseUrl: location.origin,
      token,
      viewport: START,
      onChange({ cars, truncated, connected }) {
        all.current = cars;
        wasConnected.current ||= connected;
        const nowMs = performance.now();
        if (nowMs - saidAtMs < WORDS_EVERY_MS * 0.9 && wasUp === connected) return;
        saidAtMs = nowMs;
        wasUp = connected;
        const trips = new Set([...cars.values()].map((car) => car.tripId).filter((id) => id !== ""));
        setWords({ cars: cars.size, tripIds: [...trips].sort(), truncated, connected });
      },
    });
    watcher.current = mine;
    return () => mine.close();
  }, [hasToken]);
  return {
    ...words,
    wasConnected: wasConnected.current,
    all: () => all.current,
    serverNow: () => watcher.current?.serverNow() ?? Date.now(),
    look: (rect) => watcher.current?.setViewport(rect),
  };
}
