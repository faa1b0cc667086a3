import type { ServiceImpl } from "@connectrpc/connect";
import type { TripService } from "../../../gen/bimride/tracking/v1/trip_pb.ts";
import type { EdgeContext } from "../context.ts";
import { unary } from "./caller.ts";

export function tripService(edge: EdgeContext): ServiceImpl<typeof TripService> {
  const trips = edge.tripsFace;
  return {
    createTrip: unary(edge, async (request, caller) => ({ trip: await trips.create(caller, request) })),
    getTrip: unary(edge, async ({ tripId }, caller) => ({ trip: await trips.get(caller, tripId) })),
    updateTrip: unary(edge, async (request, caller) => ({ trip: await trips.update(caller, request) })),
    setTripStatus: unary(edge, async (request, caller) => ({ trip: await trips.setStatus(caller, request) })),
    cancelTrip: unary(edge, async ({ tripId, reason }, caller) => ({
      trip: await trips.cancel(caller, tripId, reason),
    })),
    setLocationSharing: unary(edge, async ({ tripId, granted }, caller) => ({
      trip: await trips.setLocationSharing(caller, tripId, granted),
    })),
    listTrips: unary(edge, (request, caller) => trips.list(caller, request)),
  };
}
