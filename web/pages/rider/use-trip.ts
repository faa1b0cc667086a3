import { useEffect, useRef, useState } from "preact/hooks";
import { createWatcher, type TripState, type Watcher } from "../../client/watcher.ts";
import type { PageSettings } from "../settings.ts";
import { NoSuchTrip, type TokenSource } from "../token-source.ts";

/** A trip as it is watched by this page. */
export type WatchedTrip = {
  state: TripState | undefined;
  /** The source of tokens knows no such trip. */
  unknown: boolean;
  /** Server time now, milliseconds since 1970. */
  serverNow(): number;
};

/** Watches a trip while the page is open; wakes the watcher when the network or the person comes back. */
export function useTrip(tripId: string, settings: PageSettings, token: TokenSource): WatchedTrip {
  const [state, setState] = useState<TripState>();
  const [unknown, setUnknown] = useState(false);
  const watcher = useRef<Watcher>(undefined);
  useEffect(() => {
    const mine = createWatcher({
      baseUrl: location.origin,
      tripIds: [tripId],
      heartbeatMs: settings.heartbeatMs,
      token: async () => {
        try {
          const fresh = await token();
          setUnknown(false);
          return fresh;
        } catch (error) {
          if (error instanceof NoSuchTrip) setUnknown(true);
          throw error;
        }
      },
    });
    watcher.current = mine;
    const leave = mine.subscribe((next) => setState(next));
    const wake = () => {
      if (document.visibilityState === "visible") mine.wake();
    };
    addEventListener("online", wake);
    document.addEventListener("visibilitychange", wake);
    return () => {
      leave();
      removeEventListener("online", wake);
      document.removeEventListener("visibilitychange", wake);
      mine.close();
    };
  }, [tripId]);
  return { state, unknown, serverNow: () => watcher.current?.serverNow() ?? Date.now() };
}
