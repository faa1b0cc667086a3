import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { TripService, TripType, WaypointKind } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import type { App } from "../../internal/app/app.ts";
import type { LatLon } from "../../internal/core/geo.ts";
import type { Trace } from "./trace.ts";

export type DriveTrip = { tripId: string; riderId: string };

/** Books the recorded drive as a trip from its first to its last position. */
export async function createDriveTrip(
  app: Pick<App, "httpUrl" | "mint">,
  driverId: string,
  trace: Trace,
  path: LatLon[],
): Promise<DriveTrip> {
  const first = trace.rows[0]?.fix;
  const last = trace.rows.at(-1)?.fix;
  if (!first || !last) throw new Error("the trace has no positions");
  const transport = createConnectTransport({ baseUrl: app.httpUrl, httpVersion: "1.1" });
  const trips = createClient(TripService, transport);
  const headers = { authorization: `Bearer ${await app.mint("backend", "drive-backend")}` };
  const riderId = "drive-rider";
  const place = (point: LatLon) => ({ latitudeDeg: point.latDeg, longitudeDeg: point.lonDeg });
  const { trip } = await trips.createTrip(
    {
      idempotencyKey: `drive-${driverId}`,
      type: TripType.EXCLUSIVE,
      riderIds: [riderId],
      driverId,
      waypoints: [
        { kind: WaypointKind.PICKUP, position: place(first) },
        { kind: WaypointKind.DROPOFF, position: place(last) },
      ],
      plannedPath: path.map(place),
    },
    { headers },
  );
  return { tripId: trip!.tripId, riderId };
}
