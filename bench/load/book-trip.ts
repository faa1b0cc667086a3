import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { TripService, TripType, WaypointKind } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import { destination } from "../../internal/core/geo.ts";
import { inTurn, type Service } from "./service.ts";

/** A trip under load, with a driver and a rider of its own. */
export type LoadTrip = { tripId: string; driverId: string; riderId: string };

type Place = { latDeg: number; lonDeg: number };

/** Books the trip of the driver of this number: 20 km straight on from somewhere in the demo city. */
export async function bookTrip(
  service: Service,
  driverId: string,
  index: number,
): Promise<LoadTrip & { start: Place; bearingDeg: number }> {
  const start = destination(57.7, 11.97, (index * 137.5) % 360, 20 * (index % 400));
  const bearingDeg = (index * 61) % 360;
  const end = destination(start.latDeg, start.lonDeg, bearingDeg, 20_000);
  const client = createClient(
    TripService,
    createConnectTransport({ baseUrl: inTurn(service.edgeUrls, index), httpVersion: "1.1" }),
  );
  const riderId = `${driverId}-rider`;
  const place = ({ latDeg, lonDeg }: Place) => ({ latitudeDeg: latDeg, longitudeDeg: lonDeg });
  const { trip } = await client.createTrip(
    {
      idempotencyKey: `trip-${driverId}`,
      type: TripType.EXCLUSIVE,
      riderIds: [riderId],
      driverId,
      waypoints: [
        { kind: WaypointKind.PICKUP, position: place(start) },
        { kind: WaypointKind.DROPOFF, position: place(end) },
      ],
    },
    { headers: { authorization: `Bearer ${await service.mint("backend", "load")}` } },
  );
  return { tripId: trip!.tripId, driverId, riderId, start, bearingDeg };
}
