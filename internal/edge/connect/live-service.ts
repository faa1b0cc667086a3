import type { ServiceImpl } from "@connectrpc/connect";
import type { LiveService } from "../../../gen/bimride/tracking/v1/live_pb.ts";
import type { EdgeContext } from "../context.ts";
import { readLive } from "../live/read-live.ts";
import { watchTrips } from "../live/watch-trips.ts";
import { streaming, unary } from "./caller.ts";

export function liveService(edge: EdgeContext): ServiceImpl<typeof LiveService> {
  return {
    getLiveTrip: unary(edge, async ({ tripId }, caller) => (await readLive(edge, caller, tripId)).response),
    watchTrips: streaming(edge, (request, caller, signal) =>
      watchTrips(edge, caller, request, signal, "connect"),
    ),
    refreshWatch: unary(edge, ({ watchId }, caller) => {
      const { expiresAtMs } = edge.watches.refresh(watchId, caller);
      return { expiresAtMs: BigInt(expiresAtMs) };
    }),
  };
}
