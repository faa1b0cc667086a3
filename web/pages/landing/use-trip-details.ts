import { createClient } from "@connectrpc/connect";
import { useEffect, useRef, useState } from "preact/hooks";
import { LiveService } from "../../../gen/bimride/tracking/v1/live_pb.ts";
import type { Trip } from "../../../gen/bimride/tracking/v1/trip_pb.ts";
import { createTokenKeeper } from "../../client/token-keeper.ts";
import { connectTransportTo } from "../../client/transports/stream.ts";
import { deviceClock } from "../../client/watch-clock.ts";
import type { TokenSource } from "../token-source.ts";

/** Trips whose details are asked for. */
export const MAX_DETAILED = 12;
/** How long details are good, milliseconds: a phase lasts minutes. */
const GOOD_FOR_MS = 12_000;
const LOOK_EVERY_MS = 1_500;

type Known = { trip: Trip | undefined; atMs: number };

/** Names and phases of some trips, asked for one by one and again now and then. Bounded by MAX_DETAILED. */
export function useTripDetails(tripIds: string[], token: TokenSource | undefined): Map<string, Trip> {
  const [shown, setShown] = useState(new Map<string, Trip>());
  const wanted = useRef(tripIds);
  wanted.current = tripIds;
  const hasToken = token !== undefined;
  useEffect(() => {
    if (!token) return;
    const client = createClient(LiveService, connectTransportTo(location.origin));
    const tokens = createTokenKeeper(token, deviceClock);
    const known = new Map<string, Known>();
    let busy = false;
    let isNew = false;
    async function look(): Promise<void> {
      for (const tripId of known.keys()) if (!wanted.current.includes(tripId)) known.delete(tripId);
      for (const tripId of wanted.current) {
        const old = known.get(tripId);
        if (old && performance.now() - old.atMs < GOOD_FOR_MS) continue;
        known.set(tripId, { trip: old?.trip, atMs: performance.now() });
        const headers = { authorization: `Bearer ${await tokens.get()}` };
        const { live } = await client.getLiveTrip({ tripId }, { headers });
        if (live?.trip) known.set(tripId, { trip: live.trip, atMs: performance.now() });
        isNew = true;
      }
    }
    const timer = setInterval(() => {
      if (busy || document.visibilityState === "hidden") return;
      busy = true;
      look()
        .catch(() => {
          // The list then shows the trip without its names, and asks again.
          tokens.forget();
        })
        .finally(() => {
          busy = false;
          if (!isNew) return;
          isNew = false;
          const trips = [...known].flatMap(([id, { trip }]) => (trip ? [[id, trip] as const] : []));
          setShown(new Map(trips));
        });
    }, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, [hasToken]);
  return shown;
}
